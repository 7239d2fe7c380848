import VaultFileSet
import VaultModel

/// Entries without content of a restore: links, pipes, sockets, devices.
final class RestoreOthers {
  private var writer: RestoreWriter
  let extended: RestoreExtended
  private let report: RestoreReport
  /// The last one with several names: the others come behind it.
  private var lastOther: (row: PlanBatch.Row, file: RestoredFile)?

  init(writer: consuming RestoreWriter, extended: RestoreExtended, report: RestoreReport) {
    self.writer = writer
    self.extended = extended
    self.report = report
  }

  func create(_ row: PlanBatch.Row) {
    let entry = row.entry
    do throws(FileSetError) {
      if let lastOther, row.isLink(of: lastOther.row) {
        let outcome = try writer.createHardLink(
          directory: row.directory, name: entry.name, to: lastOther.file, modified: entry.attributes.modified)
        return outcome == .exists ? report.kept(row.path) : report.restored(row.path, [])
      }
      let list = extended.list(of: row)
      let outcome =
        entry.attributes.type == .symbolicLink
        ? try writer.createSymbolicLink(
          directory: row.directory, name: entry.name, target: entry.linkTarget, attributes: entry.attributes,
          extended: list)
        : try writer.createNode(
          directory: row.directory, name: entry.name, attributes: entry.attributes, extended: list)
      switch outcome {
      case .written(let unset):
        report.restored(row.path, unset)
        if row.isHardLinked { lastOther = (row, try writer.made(directory: row.directory, name: entry.name)) }
      case .exists: report.kept(row.path)
      }
    } catch {
      report.problem(row.path, error.description)
    }
  }
}
