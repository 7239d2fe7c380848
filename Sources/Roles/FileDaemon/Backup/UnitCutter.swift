import VaultFileSet
import VaultModel
import VaultProtocol

/// Cuts what the walk found into units of about one group, and queues each for a worker and for the sequencer.
struct UnitCutter {
  /// Names of one unit at most: their entries fit a group.
  private static let itemLimit = 2048
  /// Directories of one unit at most: each holds a descriptor open.
  private static let directoryLimit = 128

  private let context: BackupContext
  private var unit = BackupUnit()
  private var nextIndex: UInt64
  private var nextDirectoryNumber: UInt64 = 1
  private var directory: (object: WalkDirectory?, path: ByteString, number: UInt64) = (nil, "/", 0)

  init(context: BackupContext, firstIndex: UInt64) {
    self.context = context
    nextIndex = firstIndex
  }

  /// The items that follow are in this directory.
  mutating func enter(_ object: WalkDirectory?, path: ByteString) {
    directory = (object, path, nextDirectoryNumber)
    nextDirectoryNumber += 1
  }

  /// Adds one name. A file larger than a group's record is a unit of its own, so that commits fall between whole files.
  mutating func add(
    _ action: UnitAction, name: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer, attributes: FileAttributes,
    mayHaveHoles: Bool = false, asksForInode: Bool = false, promise: LinkPromise? = nil, comparison: Comparison? = nil
  ) throws {
    let reads = attributes.type == .regular && action.readsContent
    // More than a group is a large file, however large.
    let expected = reads ? min(Int(clamping: attributes.size), GroupLimits.rawLimit + 1) : 0
    let isLarge = expected > GroupLimits.contentDataLimit
    let isFull =
      unit.expectedByteCount + expected + GroupLimits.contentDataOverhead > GroupLimits.rawLimit
      || unit.items.count >= Self.itemLimit || unit.directories.count >= Self.directoryLimit
    if isLarge || isFull { try cut() }
    unit.enter(directory.object, path: directory.path, number: directory.number)
    unit.add(
      action, index: nextIndex, name: name, target: target, attributes: attributes,
      expectedByteCount: reads ? min(expected, GroupLimits.rawLimit) + GroupLimits.contentDataOverhead : 0,
      mayHaveHoles: mayHaveHoles, asksForInode: asksForInode, promise: promise, comparison: comparison)
    nextIndex += 1
    if isLarge { try cut() }
  }

  /// Queues what was collected.
  mutating func cut() throws {
    guard !unit.isEmpty else { return }
    let full = unit
    unit = BackupUnit()
    // The order first: a worker must not fill outputs that nobody will take.
    guard context.order.push(full), context.work.push(full) else {
      full.abandon()
      throw BackupStopped()
    }
  }
}

extension UnitAction {
  /// Whether a worker opens the file.
  var readsContent: Bool {
    switch self {
    case .store, .compare, .resume: true
    case .attributes, .follow, .delete, .problem, .ownerName: false
    }
  }
}
