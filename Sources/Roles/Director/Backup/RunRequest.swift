import VaultModel
import VaultProtocol

/// A console's request to back up a tree.
struct RunRequest: Sendable {
  var tree: Tree
  /// nil: full the first time and incremental after.
  var level: JobLevel?
  var paths: [ByteString]
  /// Fields handed on to the storage daemon: when commit points are due.
  var storageFields: [ControlLine.Field]

  init(_ line: ControlLine, paths: [ByteString]) throws(ControlError) {
    let host = try line.text("host")
    guard let name = line["name"] else { throw ControlError(.missingField("name"), line: line.verb) }
    tree = Tree(host: host, name: name)
    switch try line.text("level") {
    case "auto": level = nil
    case let text:
      guard let level = JobLevel(rawValue: text) else { throw ControlError(.malformedField("level"), line: line.verb) }
      self.level = level
    }
    self.paths = paths
    storageFields = line.fields.filter { ["commit-seconds", "commit-bytes"].contains($0.key) }
  }
}
