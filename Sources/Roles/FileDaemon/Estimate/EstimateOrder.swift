import VaultModel
import VaultProtocol

/// What the director wants to know of a backup that is not made.
struct EstimateOrder: Sendable {
  var files: WalkOrder
  /// Whether the director streams a state to compare with.
  var compares: Bool
  /// Everything up to here is committed already.
  var position: CanonicalPosition?
  /// Whether every entry that would be saved or deleted is told.
  var listsChanges: Bool

  init(_ line: ControlLine, paths: [ByteString], patterns: [ByteString]) throws {
    files = try WalkOrder(line, paths: paths, patterns: patterns)
    compares = try line.text("compare") == "yes"
    position = CanonicalPosition(resuming: line)
    listsChanges = line["list"] == "yes"
  }
}
