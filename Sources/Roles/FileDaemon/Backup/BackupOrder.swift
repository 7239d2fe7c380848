import VaultModel
import VaultProtocol

/// What the director orders: a session to fill, and where to go on.
struct BackupOrder: Sendable {
  var session: UniqueIdentifier
  var attempt: UInt32
  /// Where its data goes; nil where there is only one storage daemon.
  var storage: StorageRoute?
  var files: WalkOrder
  /// Whether the director streams a state to compare with.
  var compares: Bool
  /// How its groups are compressed.
  var compression: Compression
  var nextEntry: UInt64
  var nextGroup: UInt64
  /// Everything up to here is committed already.
  var position: CanonicalPosition?
  /// A file of which an earlier attempt committed the beginning, and its place.
  var halfSent: (position: CanonicalPosition, file: HalfSent)?

  init(_ line: ControlLine, paths: [ByteString], patterns: [ByteString] = []) throws {
    guard let session = UniqueIdentifier(text: try line.word(0).text ?? "") else {
      throw ControlError(.malformedField("session"), line: line.verb)
    }
    self.session = session
    storage = try StorageRoute(line)
    files = try WalkOrder(line, paths: paths, patterns: patterns)
    attempt = try line.integer("attempt")
    compares = try line.text("compare") == "yes"
    compression = try line.compression()
    nextEntry = line["next-entry"] == nil ? 1 : try line.integer("next-entry")
    nextGroup = line["next-group"] == nil ? 1 : try line.integer("next-group")
    position = CanonicalPosition(resuming: line)
    if let bytes = line["half-sent-entry"] {
      halfSent = try Self.halfSent(
        bytes,
        CommittedGroups(
          lastOffset: try line.integer("half-sent-offset"), rawByteCount: try line.integer("half-sent-bytes")))
    }
  }

  private static func halfSent(
    _ bytes: ByteString, _ committed: CommittedGroups
  ) throws -> (position: CanonicalPosition, file: HalfSent) {
    try bytes.bytes.withUnsafeBytes { raw in
      var reader = RecordReader(raw)
      guard case .directory(_, let path)? = try reader.next(),
        case .entry(let index, _, let entry)? = try reader.next()
      else { throw FormatError(.malformed, "half-sent entry") }
      return (
        CanonicalPosition(directory: DirectoryKey(path: ByteString(path)), name: entry.name),
        HalfSent(index: index, attributes: entry.attributes, committed: committed)
      )
    }
  }
}

extension CanonicalPosition {
  /// The place up to which everything is committed; nil when nothing is.
  init?(resuming line: ControlLine) {
    guard let directory = line["directory"], let name = line["name"] else { return nil }
    self.init(directory: DirectoryKey(path: directory), name: name)
  }
}
