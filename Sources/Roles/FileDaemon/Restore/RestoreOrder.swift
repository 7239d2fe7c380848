import VaultFileSet
import VaultModel
import VaultProtocol

/// What the director orders: where to restore to, and how.
struct RestoreOrder: Sendable {
  /// The restore's one-time name, under which the storage daemon lets it read.
  var restore: UniqueIdentifier
  var target: ByteString
  var policy: OverwritePolicy
  /// Owners and groups go by number even where their names are known.
  var usesNumericOwners: Bool

  init(_ line: ControlLine) throws(ControlError) {
    guard let restore = UniqueIdentifier(text: try line.word(0).text ?? "") else {
      throw ControlError(.malformedField("restore"), line: line.verb)
    }
    guard let policy = OverwritePolicy(rawValue: try line.text("overwrite")), let target = line["target"] else {
      throw ControlError(.malformedField("overwrite"), line: line.verb)
    }
    self.restore = restore
    self.policy = policy
    self.target = target
    usesNumericOwners = line["numeric-ids"] == "yes"
  }
}
