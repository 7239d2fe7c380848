import VaultFileSet
import VaultModel
import VaultProtocol

/// What the director orders: where to restore to, and how.
struct RestoreOrder: Sendable {
  /// Storage daemons that one restore reads from at most.
  private static let storageLimit = 256

  /// What becomes of the selection.
  enum Destination: Sendable, Hashable {
    /// It is written below a directory.
    case directory(ByteString, OverwritePolicy)
    /// Nothing is written: what would be is counted.
    case trial(ByteString, OverwritePolicy)
    /// The bytes of its one file go to the director.
    case stream
    /// Contents are read and their digests compared.
    case nowhere
  }

  /// The storage daemons that the blocks come from.
  enum Storages: Sendable, Hashable {
    /// All from one; the way to it is nil where there is no other.
    case one(StorageRoute?)
    /// Each volume's from the one that has it; none at all where nothing is to be read.
    case several([StorageShare])
  }

  /// The restore's one-time name, under which the storage daemon lets it read.
  var restore: UniqueIdentifier
  /// Where the data is.
  var storages: Storages
  var destination: Destination
  /// Leading components that every path loses.
  var strippedCount: Int
  /// Owners and groups go by number even where their names are known.
  var usesNumericOwners: Bool

  /// How many storage daemons the frames behind a request tell of; nil when the request itself names the one.
  static func storageCount(_ line: ControlLine) throws(ControlError) -> Int? {
    guard line["storages"] != nil else { return nil }
    let count: UInt16 = try line.integer("storages")
    guard count <= storageLimit else { throw ControlError(.malformedField("storages"), line: line.verb) }
    return Int(count)
  }

  /// - Parameter shares: what the frames behind the request told of; nil where there are none.
  init(_ line: ControlLine, shares: [StorageShare]? = nil) throws(ControlError) {
    guard let restore = UniqueIdentifier(text: try line.word(0).text ?? "") else {
      throw ControlError(.malformedField("restore"), line: line.verb)
    }
    self.restore = restore
    if let shares { storages = .several(shares) } else { storages = .one(try StorageRoute(line)) }
    strippedCount = line["strip"] == nil ? 0 : Int(try line.integer("strip", as: UInt16.self))
    usesNumericOwners = line["numeric-ids"] == "yes"
    switch line["mode"] {
    case nil, "write": destination = .directory(try Self.target(line), try Self.policy(line))
    case "dry-run": destination = .trial(try Self.target(line), try Self.policy(line))
    case "stream": destination = .stream
    default: throw ControlError(.malformedField("mode"), line: line.verb)
    }
  }

  /// A verification.
  ///
  /// - Parameter name: under which the storage daemon lets it read.
  init(verifying name: UniqueIdentifier, _ storage: StorageRoute?) {
    restore = name
    storages = .one(storage)
    destination = .nowhere
    strippedCount = 0
    usesNumericOwners = true
  }

  private static func target(_ line: ControlLine) throws(ControlError) -> ByteString {
    guard let target = line["target"] else { throw ControlError(.missingField("target"), line: line.verb) }
    // Relative to a daemon there is nothing that anybody meant.
    guard target.bytes.first == UInt8(ascii: "/") else {
      throw ControlError(.malformedField("target"), line: line.verb)
    }
    return target
  }

  private static func policy(_ line: ControlLine) throws(ControlError) -> OverwritePolicy {
    guard let policy = OverwritePolicy(rawValue: try line.text("overwrite")) else {
      throw ControlError(.malformedField("overwrite"), line: line.verb)
    }
    return policy
  }
}
