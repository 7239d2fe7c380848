import Synchronization
import VaultCrypto
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

/// Makes the files of a restore before their data are there, on threads of its own.
///
/// While a file system writes inodes, bitmaps and directories, whoever makes a file waits for them, and it does so for most of
/// a restore, as what is restored goes to the disk meanwhile. A file that is there already takes its data. Only files without a
/// name are made ahead: nothing is left of one that gets none.
final class FilesAhead: Sendable {
  /// Files of a restore that are open and wait for their data or their name, at most.
  static let usualLimit = 4096
  /// The share of the process's descriptors that may be such files: of the second restore at a time half of it, of the third
  /// a third. Each may keep its directory open, too.
  private static let descriptorShare = 8
  /// How many there are in this process.
  private static let count = Atomic(0)
  private static let threadLimit = 4
  /// Contents that a thread takes at a time: so many files may be open beyond the limit for each thread.
  static let contentsAtOnce = 8
  /// Contents come directory by directory.
  private static let directoryLimit = 8

  private struct State {
    var contents: ArraySlice<ContentItem> = []
    var isOver = false
  }

  private let target: RestoreTarget
  /// Open files at most, and what each thread has just in hand.
  let limit: Int
  private let state = Mutex(State())
  private let monitor = Monitor()
  private let crew = WorkerCrew()
  private let open = Atomic(0)

  /// How many files are open and wait for their data or their name.
  var openCount: Int { open.load(ordering: .relaxed) }

  /// Starts the threads; without them, or where the target's files have names from the beginning, the workers make every file.
  ///
  /// - Parameters:
  ///   - threadCount: no more than four are started.
  ///   - limit: open files at most; fewer where the process may not have as many descriptors.
  init(_ target: RestoreTarget, threadCount: Int, randomSeed: UInt64, limit: Int = usualLimit) {
    self.target = target
    let number = Self.count.add(1, ordering: .relaxed).newValue
    self.limit = min(limit, DescriptorLimit.raise() / Self.descriptorShare / number)
    let wanted = target.makesUnnamedFiles ? min(threadCount, Self.threadLimit) : 0
    let count = crew.startSome(wanted, name: "vault-create") { [self] number in
      run(
        RestoreWriter(target: target, randomSeed: randomSeed &+ UInt64(number), directoryLimit: Self.directoryLimit))
    }
    if count == 0 { giveUp() }
  }

  deinit { Self.count.subtract(1, ordering: .relaxed) }

  /// Whether files are made here.
  var isAtWork: Bool { state.withLock { !$0.isOver } }

  /// Adds contents in the order in which their data come.
  func add(_ contents: [ContentItem]) {
    state.withLock { if !$0.isOver { $0.contents += contents } }
    monitor.signal()
  }

  /// Waits until no thread makes files any more; may be called again. What is open goes with the contents.
  func finish() {
    giveUp()
    crew.join()
  }

  private func giveUp() {
    state.withLock { state in
      state.isOver = true
      state.contents = []
    }
    monitor.signal()
  }

  private func run(_ writer: consuming RestoreWriter) {
    while let contents = next() {
      for content in contents where !make(content, &writer) { return giveUp() }
    }
  }

  /// The next contents, waiting for some and for room; nil when there is nothing more to do.
  private func next() -> ArraySlice<ContentItem>? {
    while true {
      let ticket = monitor.ticket()
      let (contents, isOver) = state.withLock { state in
        guard openCount < limit else { return (ArraySlice<ContentItem>(), state.isOver) }
        let some = state.contents.prefix(Self.contentsAtOnce)
        state.contents.removeFirst(some.count)
        if state.contents.isEmpty { state.contents = [] }
        return (some, state.isOver)
      }
      if isOver { return nil }
      if !contents.isEmpty { return contents }
      monitor.wait(since: ticket)
    }
  }

  /// Makes a content's first file.
  ///
  /// - Returns: false when the process has no descriptors left: the workers need the next ones. Whatever else fails, fails again
  ///   when a worker tries, who tells.
  private func make(_ content: ContentItem, _ writer: inout RestoreWriter) -> Bool {
    // A large one is asked for its name first, when its turn has come: its data are not written for nothing.
    guard content.sealed.size <= UInt64(GroupLimits.contentDataLimit), let row = content.groups.first?.rows.first
    else { return true }
    do throws(FileSetError) {
      try content.makeFile { () throws(FileSetError) in
        guard let file = try writer.writeFile(for: row) else { return nil }
        open.add(1, ordering: .relaxed)
        return FileAhead(file, of: self)
      }
      return true
    } catch { return error.errno != .tooManyOpenFiles && error.errno != .tooManyOpenFilesInSystem }
  }

  /// A file has its data and is about to get its name, or its content is given up.
  fileprivate func release() {
    // Not for each of them: who waits for room makes some at once then.
    if open.subtract(1, ordering: .relaxed).newValue == limit * 3 / 4 { monitor.signal() }
  }
}

/// A file that waits for its data, or for its name.
struct FileAhead: ~Copyable, Sendable {
  private var file: RestoringFile?
  private let ahead: FilesAhead

  fileprivate init(_ file: consuming RestoringFile, of ahead: FilesAhead) {
    self.file = consume file
    self.ahead = ahead
  }

  deinit { ahead.release() }

  consuming func take() -> RestoringFile? { file.take() }

  /// Writes all of a content.
  func write(_ content: SealedContent, _ pieces: ArraySlice<ContentPiece>) throws(FileSetError) {
    try file?.write(content, pieces)
  }
}

extension RestoringFile {
  /// Makes the file ready for a content's pieces.
  func begin(_ content: SealedContent) throws(FileSetError) {
    // Before the data: a file system that has no files of this size says so at once, and what follows is inside the file.
    if content.algorithm == .sha256OfExtents { try setSize(content.size) }
  }

  /// Writes all of a content.
  func write(_ content: SealedContent, _ pieces: ArraySlice<ContentPiece>) throws(FileSetError) {
    try begin(content)
    for piece in pieces { try write(piece.bytes, at: piece.offset) }
  }
}

extension RestoreWriter {
  /// Begins the file of a row; nil when something has its name that must not be replaced.
  mutating func writeFile(for row: PlanBatch.Row) throws(FileSetError) -> RestoringFile? {
    try writeFile(
      directory: row.directory, name: row.entry.name, attributes: row.entry.attributes,
      hasExtended: row.entry.extended != nil)
  }
}
