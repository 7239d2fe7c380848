import SystemPackage
import VaultModel
import VaultSystem

/// The inodes with several names that this job has met: each with the place of the promise that its later names wait for.
///
/// The walker's alone. An open-addressing table: in memory up to a limit, then in an unlinked temporary file, so that millions of hard
/// links cost disk and not memory. What became of a content is kept with its inode once it is known; a promise lives only as long
/// as somebody may wait for it.
struct LinkMap: ~Copyable {
  enum Meeting {
    case first(LinkPromise)
    case again(LinkPromise)
  }

  private struct Key: Hashable {
    var device: UInt64
    var inode: UInt64
  }

  /// Promises of inodes met lately, whose content may still be on its way.
  private var recent: [Key: LinkPromise] = [:]
  /// The same in the order of meeting.
  private var order: [Key] = []
  private var table: LinkTable
  /// How many inodes may be on their way: more than all units in flight hold.
  private let recentLimit: Int

  /// - Bounds: `memoryLimit` bytes of memory; beyond it the table lies in a temporary file.
  init(memoryLimit: Int = 16 << 20, recentLimit: Int = 32_768) {
    table = LinkTable(memoryLimit: memoryLimit)
    self.recentLimit = recentLimit
  }

  /// Notes that a name of the inode was met.
  ///
  /// - Throws: `SystemError` when the temporary file cannot be made, written or read.
  mutating func meet(_ attributes: FileAttributes) throws -> Meeting {
    if let promise = try promise(of: attributes) { return .again(promise) }
    let key = Key(device: attributes.device, inode: attributes.inode)
    let promise = LinkPromise()
    recent[key] = promise
    order.append(key)
    if order.count > recentLimit { try retire() }
    return .first(promise)
  }

  /// Notes that an unchanged name of the inode was met, whose content is known.
  ///
  /// - Returns: what the name is to follow; nil when it has the content of the names before it already, or is the first.
  /// - Throws: `SystemError` when the temporary file cannot be made, written or read.
  mutating func meet(
    _ attributes: FileAttributes, _ identifier: ContentIdentifier, _ sealed: SealedContent
  ) throws -> LinkPromise? {
    guard let promise = try promise(of: attributes) else {
      try table.insert(device: attributes.device, inode: attributes.inode, identifier, sealed, attributes)
      return nil
    }
    if case .sealed(.stored(identifier, _), _) = promise.settled { return nil }
    return promise
  }

  /// What names of the inode wait for, if one of them was met.
  private mutating func promise(of attributes: FileAttributes) throws -> LinkPromise? {
    if let promise = recent[Key(device: attributes.device, inode: attributes.inode)] { return promise }
    guard let (content, first) = try table.find(device: attributes.device, inode: attributes.inode) else { return nil }
    let promise = LinkPromise()
    promise.fulfil(.sealed(content, first))
    return promise
  }

  /// Moves the older half of the promises into the table; they were fulfilled long ago, or are waited for now.
  private mutating func retire() throws {
    let old = order.prefix(order.count / 2)
    for key in old {
      guard let promise = recent.removeValue(forKey: key) else { continue }
      if case .sealed(.stored(let identifier, let sealed), let first) = promise.wait() {
        try table.insert(device: key.device, inode: key.inode, identifier, sealed, first)
      }
    }
    order.removeFirst(old.count)
  }
}
