import VaultFileSet
import VaultModel
import VaultSystem

/// Gives files that were made ahead of their data their attributes and names, on threads of its own.
///
/// While a file system writes a directory, whoever makes a name in it waits, and all workers are in the same few directories.
/// They go on with the next data meanwhile.
final class FilesBehind: Sendable {
  private static let threadLimit = 4
  /// Parts that wait at most; when there is no room, a worker gives the names itself.
  private static let capacity = 16
  /// Files of a part.
  static let partSize = 64

  /// Files of one batch of the plan.
  private struct Part: Sendable {
    let contents: [ContentItem]
    let batch: UInt64
  }

  let names: FileNames
  private let work: RestoreQueue
  private let parts = BoundedQueue<Part>(capacity: capacity)
  private let crew = WorkerCrew()

  /// Starts the threads; without them the workers give every name.
  ///
  /// - Parameters:
  ///   - work: counts each part until its files have their names.
  ///   - threadCount: no more than four are started.
  init(_ names: FileNames, _ work: RestoreQueue, threadCount: Int) {
    self.names = names
    self.work = work
    let count = crew.startSome(min(threadCount, Self.threadLimit), name: "vault-name") { [self] _ in run() }
    if count == 0 { parts.finish() }
  }

  /// Takes contents over that are written and whose files wait for their names.
  func add(_ contents: [ContentItem], of batch: UInt64) {
    if contents.isEmpty { return }
    let part = Part(contents: contents, batch: batch)
    work.begin(batch)
    if !parts.pushIfRoom(part) { give(part) }
  }

  /// Waits until all have their names; nobody adds any more.
  func finish() {
    parts.finish()
    crew.join()
  }

  private func run() { while let part = parts.pop() { give(part) } }

  private func give(_ part: Part) {
    for content in part.contents { names.give(content) }
    work.done(part.batch)
  }
}

/// Gives restored files their attributes and names, and tells how it went.
struct FileNames: Sendable {
  let report: RestoreReport
  let lists: ExtendedLists

  /// Gives a content's file, which was left for it, the only name that it is to have.
  func give(_ content: ContentItem) {
    guard let row = content.groups.first?.rows.first else { return }
    guard let file = content.takeWritten() else { return report.problem(row.path, "its file is gone") }
    do throws(FileSetError) { _ = try give(row, to: file, byteCount: content.sealed.size) } catch {
      report.problem(row.path, error.description)
    }
  }

  /// Gives a whole file its attributes and a row's name.
  ///
  /// - Returns: false when something took the name meanwhile and was kept.
  func give(
    _ row: PlanBatch.Row, to file: consuming RestoringFile, byteCount: UInt64
  ) throws(FileSetError) -> Bool {
    let list = lists.list(of: row, report)
    guard case .written(let unset) = try file.commit(attributes: row.entry.attributes, extended: list) else {
      report.kept(row.path)
      return false
    }
    report.restored(row.path, unset, bytes: byteCount)
    return true
  }
}
