import VaultCatalog
import VaultModel

/// What an operator asks of a large catalog, through the calls that answer a console.
enum QueryMeasurement {
  /// How large bench/micro.py made the catalog.
  struct Size {
    let directoryCount: Int
    /// In each directory.
    let fileCount: Int
  }

  private static let jobListLimit = 100

  static func run(_ catalog: any CatalogStore, _ size: Size) throws {
    guard let latest = try catalog.latestPublishedJob(of: CatalogMeasurement.tree, fullOnly: false, endedBy: nil) else {
      throw MeasurementError("the catalog has no job")
    }
    let source = SelectionSource.state(tree: CatalogMeasurement.tree, sequence: latest.description.sequence)
    try Repetition.report("listing of a directory of \(size.fileCount) files") { number in
      var found = 0
      _ = try catalog.readDirectory(
        of: source, directory: directory(number, size), after: nil, limit: size.fileCount + 1
      ) { _ in found += 1 }
      guard found == size.fileCount else { throw MeasurementError("\(found) of \(size.fileCount) files are listed") }
    }
    try Repetition.report("versions of a file") { number in
      var found = 0
      // Every tenth file has an earlier version.
      let file = ByteString("file-\(number * 7919 % (size.fileCount / 10) * 10)")
      let position = CanonicalPosition(directory: directory(number, size), name: file)
      _ = try catalog.readVersions(of: CatalogMeasurement.tree, at: position, before: nil, limit: 1000) { _ in
        found += 1
      }
      guard found == 2 else { throw MeasurementError("\(file.displayText) has \(found) versions and not 2") }
    }
    try Repetition.report("list of the last \(jobListLimit) jobs") { _ in
      let found = try catalog.recentJobs(of: nil, before: nil, limit: jobListLimit).count
      guard found == jobListLimit else { throw MeasurementError("\(found) jobs are listed") }
    }
    try catalog.close()
  }

  /// Directories far from each other, each call another.
  private static func directory(_ number: Int, _ size: Size) -> DirectoryKey {
    CatalogMeasurement.directory((number + 1) * 7919 % size.directoryCount)
  }
}
