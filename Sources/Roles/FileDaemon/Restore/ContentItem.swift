import Synchronization
import VaultFileSet
import VaultModel

/// A content to be restored and the names that get it.
final class ContentItem: Sendable {
  /// Names that were hard links of one file: the first is written, the others are linked to it.
  struct LinkGroup: Sendable {
    var rows: [PlanBatch.Row]
  }

  let identifier: ContentIdentifier
  let sealed: SealedContent
  /// Empty, or one hole: there is nothing to fetch.
  let isWithoutData: Bool
  let groups: [LinkGroup]
  private let isDone = Atomic(false)
  private let first = Mutex(FirstFile())

  /// The first file of the first group.
  private struct FirstFile: ~Copyable, Sendable {
    /// It was made ahead of its data.
    var file: FileAhead?
    /// Whoever has the data has it, or makes it.
    var isTaken = false
    /// It has the content, and waits for its name.
    var written: FileAhead?
  }

  init(identifier: ContentIdentifier, sealed: SealedContent, isWithoutData: Bool, groups: [LinkGroup]) {
    self.identifier = identifier
    self.sealed = sealed
    self.isWithoutData = isWithoutData
    self.groups = groups
  }

  /// Whether the content is written, or its failure told.
  var isSettled: Bool { isDone.load(ordering: .acquiring) }

  /// Says that it is written, or that its failure is told: its data go into no file any more. Said once.
  func settle() {
    isDone.store(true, ordering: .releasing)
    takeFileAhead()?.take()?.discard()
  }

  /// Whether the file that was made ahead is all there is to name.
  var isOneName: Bool {
    groups.count == 1 && groups[0].rows.count == 1 && groups[0].rows[0].entry.attributes.inodeFlags.isEmpty
  }

  /// Makes the first file of the first group, unless somebody has taken that upon himself; who comes for it meanwhile waits.
  func makeFile(_ make: () throws(FileSetError) -> FileAhead?) throws(FileSetError) {
    try first.withLock { first throws(FileSetError) in
      if !first.isTaken { first.file = try make() }
    }
  }

  /// The first file of the first group if it was made already; nobody makes it ahead any more. It counts among those that were
  /// made ahead until its `take`.
  func takeFileAhead() -> FileAhead? {
    first.withLock { first in
      first.isTaken = true
      return first.file.take()
    }
  }

  /// Leaves the first file of the first group, which has the content, for whoever gives it its name.
  func leaveWritten(_ file: consuming FileAhead) {
    var file: FileAhead? = file
    first.withLock { $0.written = file.take() }
  }

  /// The file that was left for its name.
  func takeWritten() -> RestoringFile? { first.withLock { $0.written.take() }?.take() }
}

extension PlanBatch.Row {
  /// The full path as it was saved.
  var path: ByteString { Self.join(saved, entry.name) }
  /// Where it lands below the target.
  var landing: ByteString { Self.join(directory, entry.name) }

  private static func join(_ directory: ByteString, _ name: ByteString) -> ByteString {
    ByteString(directory == "/" ? [0x2f] + name.bytes : directory.bytes + [0x2f] + name.bytes)
  }

  private var hasContent: Bool {
    if case .stored = entry.content { true } else { false }
  }

  var isHardLinked: Bool { entry.attributes.isHardLinked }

  /// Whether both were names of one file. Of two with one content the device may have had another number when one of them was
  /// saved, but not the inode another ctime.
  func isLink(of other: PlanBatch.Row) -> Bool {
    let (mine, its) = (entry.attributes, other.entry.attributes)
    return mine.isHardLinked && its.isHardLinked && mine.inode == its.inode
      && (mine.device == its.device || hasContent && mine.changed == its.changed)
  }
}
