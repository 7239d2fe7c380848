import Testing
import VaultCatalog
import VaultModel
import VaultProtocol

@testable import Director

/// Which tree, as at which job, a request means.
@Suite struct TreeSelectionTests {
  /// Jobs 1 and 3 of `home` ended at 10 and 30, job 2 of `work` at 20; job 4 of `home` goes on.
  private func catalog() throws -> SQLiteCatalog {
    let catalog = try emptyCatalog()
    try catalog.publishJob(["/a"], of: home, ended: 10)
    try catalog.publishJob(["/w"], of: work, ended: 20)
    try catalog.publishJob(["/a", "/b"], of: home, ended: 30)
    _ = try catalog.makeJob(of: home)
    return catalog
  }

  @Test(
    arguments: [
      ("ls = name=home", 3), ("ls = name=work", 2), ("ls = job=1", 1), ("ls = name=home job=1", 1), ("ls = job=4", 4),
      ("ls = name=home at=29", 1), ("ls = name=home at=30", 3), ("ls = name=work at=1000", 2),
      ("ls = name=work job=2 at=1", 2),
    ] as [(String, JobNumber)])
  func itFinds(_ text: String, _ job: JobNumber) throws {
    let selection = try TreeSelection.resolve(line(text), catalog())
    #expect(selection.job.description.number == job)
    #expect(selection.tree == (job == 2 ? work : home))
    let expected: SelectionSource =
      job == 4 ? .staged(job: 4) : .state(tree: selection.tree, sequence: selection.job.description.sequence)
    #expect(selection.source == expected)
  }

  @Test(
    arguments: [
      ("ls", .severalTrees(["home", "work"])), ("ls = name=none", .noTree), ("ls = job=9", .noSuchJob(9)),
      ("ls = job=0", .noSuchJob(0)), ("ls = name=work job=1", .jobNotOfTree(1)),
      ("ls = name=home at=9", .nothingBefore),
      ("ls = at=100", .severalTrees(["home", "work"])),
    ] as [(String, DirectorError)])
  func itRefuses(_ text: String, _ error: DirectorError) throws {
    let catalog = try catalog()
    #expect(throws: error) { try TreeSelection.resolve(line(text), catalog) }
  }

  @Test func aTreeWithoutAnEndedJobHasNothing() throws {
    let catalog = try emptyCatalog()
    #expect(throws: DirectorError.noTree) { try TreeSelection.resolve(line("ls"), catalog) }
    _ = try catalog.makeJob(of: home)
    #expect(throws: DirectorError.nothingPublished) { try TreeSelection.resolve(line("ls"), catalog) }
  }

  @Test(arguments: ["ls = job=x", "ls = job=-1", "ls = name=home at=yesterday", "ls = job=%FF"])
  func whatIsNoNumberIsRefused(_ text: String) throws {
    let catalog = try catalog()
    #expect(throws: ControlError.self) { try TreeSelection.resolve(line(text), catalog) }
  }
}
