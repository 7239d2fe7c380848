import VaultCrypto
import VaultModel

/// Makes record groups of seed 001's single-file streams, as a file daemon would have sent them.
///
/// A file becomes an attribute group with its entry in the directory `/`, data groups, and an attribute group with its seal. The
/// bytes come into `room`; whole groups go to the caller. Not thread-safe.
/// - Bounds: `fileLimit` files with as many names, in ascending order of their indexes.
package final class StreamWrapper {
  /// Takes one whole group.
  package typealias Emit = (UnsafeRawBufferPointer) throws -> Void

  private struct File {
    var index: UInt64
    var name: ByteString
    var time: Timestamp
    /// Where in the file the record begins that is being filled.
    var offset: UInt64 = 0
    var isEntryEmitted = false
  }

  /// Files of one session at most: their names are kept.
  package static let fileLimit = 65_536
  private static let directory: UInt64 = 1

  private let session: UniqueIdentifier
  private let attempt: UInt32
  private var nextGroup: UInt64
  private let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: GroupLimits.rawLimit, alignment: 16)
  private let output = UnsafeMutableRawBufferPointer.allocate(
    byteCount: GroupHeader.byteCount + GroupLimits.rawLimit, alignment: 16)
  private let encoder = GroupEncoder.lz4
  private var hasher: ContentHasher
  /// Bytes of the record that is being filled.
  private var filledCount = 0
  private var file: File?
  private var names: Set<ByteString> = []
  private var lastIndex: UInt64

  /// - Parameters:
  ///   - firstGroup: the number of the first group that is made.
  ///   - lastIndex: an index that all files' are above.
  /// - Throws: `CryptoError` when the library has no SHA-256 or no memory.
  package init(
    session: UniqueIdentifier, attempt: UInt32, firstGroup: UInt64, lastIndex: UInt64 = 0
  ) throws(CryptoError) {
    hasher = try ContentHasher()
    self.session = session
    self.attempt = attempt
    nextGroup = firstGroup
    self.lastIndex = lastIndex
  }

  deinit {
    raw.deallocate()
    output.deallocate()
  }

  /// Whether a file is begun and not ended.
  package var isInFile: Bool { file != nil }

  /// Begins a file; the one before is ended.
  ///
  /// - Throws: `FormatError`: `.outOfBounds` for an index that does not ascend and for too many files, `.malformed` for a name that
  ///   came before.
  package func begin(index: UInt64, name: ByteString, at time: Timestamp, _ emit: Emit) throws {
    try end(emit)
    guard index > lastIndex, index <= UInt64(Int64.max), names.count < Self.fileLimit else {
      throw FormatError(.outOfBounds, "header packet")
    }
    guard name.bytes.withUnsafeBytes({ NameRules.isName($0) }) else { throw FormatError(.illegalName, "header packet") }
    guard names.insert(name).inserted else { throw FormatError(.malformed, "header packet") }
    lastIndex = index
    filledCount = 0
    file = File(index: index, name: name, time: time)
    try hasher.begin(.sha256)
  }

  /// Where the file's next bytes go; empty when a group is full, until `makeRoom`.
  package var room: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: raw[(GroupLimits.contentDataOverhead + filledCount)...])
  }

  /// Lets a full group go, since more bytes of its file come; a commit may follow it.
  package func makeRoom(_ emit: Emit) throws {
    if room.isEmpty { try emitData(mayCommit: true, size: 0, emit) }
  }

  /// The first bytes of `room` are the file's next.
  ///
  /// - Bounds: at most 2^63 − 1 bytes of one file.
  package func filled(_ byteCount: Int) throws {
    guard let file, byteCount <= room.count, file.offset + UInt64(filledCount + byteCount) <= UInt64(Int64.max) else {
      throw FormatError(.outOfBounds, "file stream")
    }
    try hasher.add(
      UnsafeRawBufferPointer(rebasing: room[..<byteCount]), at: file.offset + UInt64(filledCount))
    filledCount += byteCount
  }

  /// Ends the file that is open, if one is.
  package func end(_ emit: Emit) throws {
    guard let open = file else { return }
    let size = open.offset + UInt64(filledCount)
    if filledCount > 0 { try emitData(mayCommit: false, size: size, emit) }
    try emitEntry(size: size, emit)
    var records = RecordWriter(capacity: 128)
    records.seal(
      index: open.index, SealedContent(size: size, algorithm: .sha256, digest: try hasher.finish(size: size)))
    try emitGroup(records.bytes, records.recordCount, .attributes, open.index, 0, mayCommit: true, emit)
    file = nil
  }

  // MARK: Groups

  /// The entry comes before the content; its size is told as far as it is known by then.
  private func emitEntry(size: UInt64, _ emit: Emit) throws {
    guard let open = file, !open.isEntryEmitted else { return }
    let time = FileTime(open.time)
    var records = RecordWriter(capacity: 1024)
    records.directory(number: Self.directory, path: "/")
    records.entry(
      index: open.index, directory: Self.directory,
      Entry(
        name: open.name,
        attributes: FileAttributes(
          type: .regular, mode: 0o600, size: size, modified: time, changed: time, accessed: time),
        content: .own))
    try emitGroup(records.bytes, records.recordCount, .attributes, open.index, 0, mayCommit: false, emit)
    file?.isEntryEmitted = true
  }

  private func emitData(mayCommit: Bool, size: UInt64, _ emit: Emit) throws {
    try emitEntry(size: size, emit)
    guard let open = file else { return }
    var data = DataGroupBuilder(raw)
    data.append(index: open.index, offset: open.offset, byteCount: filledCount)
    try emitGroup(data.bytes, data.recordCount, .data, open.index, open.offset, mayCommit: mayCommit, emit)
    file?.offset += UInt64(filledCount)
    filledCount = 0
  }

  private func emitGroup(
    _ bytes: UnsafeRawBufferPointer, _ recordCount: UInt32, _ kind: GroupKind, _ index: UInt64, _ offset: UInt64,
    mayCommit: Bool, _ emit: Emit
  ) throws {
    let position = GroupEncoder.Position(
      kind: kind, flags: mayCommit ? GroupHeader.mayCommitFlag : 0, session: session, attempt: attempt,
      firstEntry: index, firstOffset: offset)
    let header = try encoder.encode(bytes, recordCount: recordCount, position, number: nextGroup, into: output)
    nextGroup += 1
    try emit(UnsafeRawBufferPointer(rebasing: output[..<header.totalByteCount]))
  }
}

extension FileTime {
  /// The time as a file system would tell it.
  fileprivate init(_ time: Timestamp) {
    let (seconds, nanoseconds) = time.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    self.init(
      seconds: nanoseconds < 0 ? seconds - 1 : seconds,
      nanoseconds: UInt32(nanoseconds < 0 ? nanoseconds + 1_000_000_000 : nanoseconds))
  }
}
