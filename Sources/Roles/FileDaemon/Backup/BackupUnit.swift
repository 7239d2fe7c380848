import VaultFileSet
import VaultModel
import VaultSystem

/// What a worker does with one name.
enum UnitAction: Sendable {
  /// Store the attributes only: not a regular file.
  case attributes
  /// Read and store the content.
  case store
  /// Read and digest; refer to the known content when the digest is the same, store otherwise.
  case compare(ContentReference)
  /// The inode was met under another name earlier in this job: refer to what that entry carried.
  case follow(LinkPromise)
  /// Go on with a file of which an earlier attempt committed the beginning.
  case resume(HalfSent)
  case delete
  case problem(ProblemPhase, Int32)
  /// The item's name is that of an owner or group, and empty when the number has none.
  case ownerName(OwnerKind, UInt32)
}

/// A file of which an earlier attempt committed the beginning.
struct HalfSent: Sendable {
  var index: UInt64
  var attributes: FileAttributes
  var committed: CommittedGroups
}

/// One name of a unit; the name's bytes lie in the unit's arena.
struct UnitItem: Sendable {
  var action: UnitAction
  var index: UInt64
  /// The position in the unit's directory list.
  var directory: Int
  var nameStart: Int
  var nameLength: Int
  var targetLength: Int
  var attributes: FileAttributes
  /// Whether its blocks took less than its size.
  var mayHaveHoles: Bool
  /// Whether the director is to be asked if the inode is known under another name.
  var asksForInode: Bool
  /// What later names of this inode wait for.
  var promise: LinkPromise?
  /// Set where the content decides what the entry counts as.
  var comparison: Comparison?
}

/// Consecutive names of about one group: what one worker opens, reads, digests and compresses.
final class BackupUnit: @unchecked Sendable {
  // Filled by the walker, then read by one worker: handing it over through a queue orders the accesses.
  struct Directory {
    var directory: WalkDirectory?
    var path: ByteString
    var number: UInt64
  }

  // For the same reason no access to these overlaps another; looking at run time took 800 instructions for each name.
  @exclusivity(unchecked)
  private(set) var directories: [Directory] = []
  @exclusivity(unchecked)
  private(set) var items: [UnitItem] = []
  @exclusivity(unchecked)
  private(set) var arena: [UInt8] = []
  /// Content bytes expected, each file with its record's headers.
  @exclusivity(unchecked)
  private(set) var expectedByteCount = 0
  /// Groups in order; the sequencer takes them.
  let outputs = BoundedQueue<GroupSlot>(capacity: BackupUnit.outputLimit)

  /// The job was stopped in the middle of the unit's file: nothing may be sent behind it. Set before the outputs are finished.
  var isCut = false

  /// Groups of one unit that wait for the sequencer at most.
  static let outputLimit = 4

  var isEmpty: Bool { items.isEmpty }
  var asksForInodes: Bool { items.contains { $0.asksForInode } }

  func enter(_ directory: WalkDirectory?, path: ByteString, number: UInt64) {
    if directories.last?.number == number { return }
    directories.append(Directory(directory: directory, path: path, number: number))
  }

  func add(
    _ action: UnitAction, index: UInt64, name: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer,
    attributes: FileAttributes, expectedByteCount: Int, mayHaveHoles: Bool, asksForInode: Bool, promise: LinkPromise?,
    comparison: Comparison?
  ) {
    items.append(
      UnitItem(
        action: action, index: index, directory: directories.count - 1, nameStart: arena.count, nameLength: name.count,
        targetLength: target.count, attributes: attributes, mayHaveHoles: mayHaveHoles, asksForInode: asksForInode,
        promise: promise,
        comparison: comparison))
    arena.append(contentsOf: name)
    // The NUL that `openat` wants; a link's target follows it.
    arena.append(0)
    arena.append(contentsOf: target)
    self.expectedByteCount += expectedByteCount
  }

  /// Nobody will process the unit any more: whoever waits for what it would have given is told.
  func abandon() {
    outputs.cancel()
    for item in items { item.promise?.fulfil(.failed) }
  }

  /// Takes the director's answers into the items that asked, in order.
  func answer(_ contents: [ContentReference?]) {
    var next = contents.makeIterator()
    for index in items.indices where items[index].asksForInode {
      if case .some(.some(let content)) = next.next() { items[index].action = .compare(content) }
    }
  }
}
