import VaultCatalog
import VaultModel
import VaultProtocol

/// Which tree, as at which job: what `ls` and `restore` begin with.
struct TreeSelection: Sendable {
  var tree: Tree
  var job: JobRecord

  /// What is read: the published state, or what an unpublished job has staged.
  var source: SelectionSource {
    job.status.isPublished
      ? .state(tree: tree, sequence: job.description.sequence) : .staged(job: job.description.number)
  }

  /// Reads the fields `name`, and `job` or `at`. Blocks on the catalog.
  static func resolve(_ line: ControlLine, _ catalog: any CatalogStore) throws -> TreeSelection {
    let (host, name) = (line["host"]?.text, line["name"])
    if line["job"] != nil {
      let number: JobNumber = try line.integer("job")
      guard let job = try catalog.job(number: number) else { throw DirectorError.noSuchJob(number) }
      if let name, job.description.tree.name != name { throw DirectorError.jobNotOfTree(number) }
      return TreeSelection(tree: job.description.tree, job: job)
    }
    let tree = try tree(of: host, named: name, catalog)
    let endedBy = line["at"] == nil ? nil : Timestamp(nanoseconds: try line.integer("at"))
    guard let job = try catalog.latestPublishedJob(of: tree, fullOnly: false, endedBy: endedBy) else {
      throw endedBy == nil ? DirectorError.nothingPublished : DirectorError.nothingBefore
    }
    return TreeSelection(tree: tree, job: job)
  }

  static func tree(of host: String? = nil, named name: ByteString?, _ catalog: any CatalogStore) throws -> Tree {
    let trees = try catalog.trees().map(\.tree).filter { tree in
      (name == nil || tree.name == name) && (host == nil || tree.host == host)
    }
    guard let tree = trees.first else { throw DirectorError.noTree }
    guard trees.count == 1 else {
      throw DirectorError.severalTrees(trees.map { $0.name.displayText })
    }
    return tree
  }
}
