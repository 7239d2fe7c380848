import VaultModel

/// Who is told what vanished.
package protocol DeletionVisitor: ~Copyable {
  /// A name that is known is gone, in canonical order between the verdicts. The bytes are lent for the call.
  mutating func deleted(name: UnsafeRawBufferPointer, in directory: UnsafeRawBufferPointer) throws
}

/// Merges a walk with the known state, both in canonical order: which entries changed, which names vanished.
///
/// It does no input or output and allocates nothing per entry. The walk's events are passed on as they come; deletions are
/// certain at once, because a `WalkDirectory` knows whether its list of names is complete before its entries follow. A name
/// counts as deleted only when the deepest directory on its path that was entered is complete, and lies not below one
/// that was not entered although it exists; or when what was a directory on its path was met as something else.
/// - Bounds: memory grows with the depth of the tree only, and by `replacedLimit` names.
package struct ChangeDetector<Source: StateSource & ~Copyable>: ~Copyable {
  /// A directory on the path of the last event.
  private struct Ancestor {
    let keyLength: Int
    /// Whether what was not met below it, although known, is gone.
    let isComplete: Bool
    /// In one that is not complete: names of what was a directory and was met as something else.
    var replaced: Set<ByteString> = []
  }

  /// How many names each directory on the path may remember that were directories; what is known below others stays current.
  private static var replacedLimit: Int { 65_536 }

  /// State rows whose names were not met but may still be there: their last version stays current.
  package private(set) var keptCount: UInt64 = 0
  package private(set) var deletedCount: UInt64 = 0

  private var source: Source
  private var row: StateEntry?
  private var hasStarted = false
  /// The key of the last event's directory.
  private var key = ByteArena(capacity: 4096)
  private var ancestors: [Ancestor] = []
  /// Whether one of them is not complete.
  private var isBelowIncomplete = false
  private let resumeDirectory: ByteArena
  private let resumeName: ByteString
  /// Until a row lies behind the resume position, rows are passed over in silence.
  private var isResuming: Bool

  /// Compares with the rows of `source`. Rows at or before `resume` were dealt with by an earlier attempt: entries there need
  /// not be asked about, and their absence says nothing.
  package init(source: consuming Source, resume: CanonicalPosition? = nil) {
    self.source = source
    isResuming = resume != nil
    resumeName = resume?.name ?? ""
    var directory = ByteArena(capacity: 256)
    resume?.directory.bytes.bytes.withUnsafeBytes { directory.append($0) }
    resumeDirectory = directory
  }

  /// A directory was entered.
  package mutating func enter<Visitor: DeletionVisitor & ~Copyable>(
    _ directory: WalkDirectory, _ deletions: inout Visitor
  ) throws {
    try begin(directory.key, isComplete: directory.isComplete, &deletions)
  }

  /// A directory exists, or may exist, whose contents are not seen.
  package mutating func notEntered<Visitor: DeletionVisitor & ~Copyable>(
    _ directory: DirectoryKey, _ deletions: inout Visitor
  ) throws {
    try begin(directory, isComplete: false, &deletions)
  }

  /// Compares an entry of the directory entered last.
  ///
  /// In and below a directory that is not complete nothing passes for unchanged: a differential's catalog keeps the latest state of
  /// what it is not told of there, which need not be that of the rows.
  package mutating func verdict<Visitor: DeletionVisitor & ~Copyable>(
    name: UnsafeRawBufferPointer, attributes: FileAttributes, _ deletions: inout Visitor
  ) throws -> ChangeVerdict {
    guard try advance(to: name, &deletions), let row else { return .new }
    let verdict = ChangeVerdict.comparing(attributes, with: row, isDoubted: isBelowIncomplete) { source.content }
    if row.attributes.type == .directory, attributes.type != .directory { noteReplaced(name) }
    self.row = try source.next()
    return verdict
  }

  private mutating func noteReplaced(_ name: UnsafeRawBufferPointer) {
    guard let last = ancestors.indices.last, !ancestors[last].isComplete else { return }
    if ancestors[last].replaced.count < Self.replacedLimit { ancestors[last].replaced.insert(ByteString(name)) }
  }

  /// A name in the directory entered last is there, or may be, but could not be examined: what is known of it stays.
  package mutating func keep<Visitor: DeletionVisitor & ~Copyable>(
    name: UnsafeRawBufferPointer, _ deletions: inout Visitor
  ) throws {
    guard try advance(to: name, &deletions), let row else { return }
    if !isPassedOver(row) { keptCount += 1 }
    self.row = try source.next()
  }

  /// The walk is over.
  package mutating func finish<Visitor: DeletionVisitor & ~Copyable>(_ deletions: inout Visitor) throws {
    try start()
    while let row { try settle(row, &deletions) }
  }

  // MARK: The merge

  private mutating func start() throws {
    if hasStarted { return }
    hasStarted = true
    row = try source.next()
  }

  /// Settles what was known before `directory` and makes it the current one.
  package mutating func begin<Visitor: DeletionVisitor & ~Copyable>(
    _ directory: DirectoryKey, isComplete: Bool, _ deletions: inout Visitor
  ) throws {
    try start()
    try directory.bytes.bytes.withUnsafeBytes { newKey in
      while let row, orderOfBytes(row.directory, newKey) < 0 { try settle(row, &deletions) }
      while let last = ancestors.last, !isAncestor(last, of: newKey) { ancestors.removeLast() }
      key.truncate(to: 0)
      key.append(newKey)
      ancestors.append(Ancestor(keyLength: newKey.count, isComplete: isComplete))
      isBelowIncomplete = ancestors.contains { !$0.isComplete }
    }
  }

  /// Settles what was known before `name` in the current directory; true when the row is now that of `name`.
  @inline(__always)
  private mutating func advance<Visitor: DeletionVisitor & ~Copyable>(
    to name: UnsafeRawBufferPointer, _ deletions: inout Visitor
  ) throws -> Bool {
    while let row {
      guard orderOfBytes(row.directory, key.bytes) == 0 else { return false }
      let order = orderOfBytes(row.name, name)
      if order >= 0 { return order == 0 }
      try settle(row, &deletions)
    }
    return false
  }

  /// Deals with a row that the walk did not meet.
  private mutating func settle<Visitor: DeletionVisitor & ~Copyable>(_ row: StateEntry, _ deletions: inout Visitor)
    throws
  {
    if !isPassedOver(row) {
      if isCertainlyGone(row.directory) {
        deletedCount += 1
        try deletions.deleted(name: row.name, in: row.directory)
      } else {
        keptCount += 1
      }
    }
    self.row = try source.next()
  }

  /// Whether the deepest directory of the last event's path that holds `directory` is complete, or what leads from there to
  /// `directory` is a directory no more.
  ///
  /// That is the deepest one entered at all: events come in canonical order, so one that came earlier and is not on the
  /// last event's path has nothing below it that comes now.
  private func isCertainlyGone(_ directory: UnsafeRawBufferPointer) -> Bool {
    guard let ancestor = ancestors.last(where: { isAncestor($0, of: directory) }) else { return false }
    if ancestor.isComplete || ancestor.replaced.isEmpty { return ancestor.isComplete }
    let below = directory.dropFirst(ancestor.keyLength + 1)
    return ancestor.replaced.contains(ByteString(below.prefix { $0 != 0 }))
  }

  private func isAncestor(_ ancestor: Ancestor, of directory: UnsafeRawBufferPointer) -> Bool {
    let length = ancestor.keyLength
    guard directory.count >= length, directory.count == length || directory[length] == 0 else { return false }
    return orderOfBytes(key.bytes(0..<length), UnsafeRawBufferPointer(rebasing: directory[..<length])) == 0
  }

  private mutating func isPassedOver(_ row: StateEntry) -> Bool {
    guard isResuming else { return false }
    var order = orderOfBytes(row.directory, resumeDirectory.bytes)
    if order == 0 { order = resumeName.bytes.withUnsafeBytes { orderOfBytes(row.name, $0) } }
    if order > 0 { isResuming = false }
    return isResuming
  }
}
