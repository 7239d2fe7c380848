import VaultModel

/// Contents that damage costs: a range of indexes in one session.
package struct DamagedContents: Hashable, Sendable {
  /// Which damage it is, by the caller's count.
  package var damage: Int
  package var session: UniqueIdentifier
  package var indexes: ClosedRange<UInt64>

  package init(damage: Int, session: UniqueIdentifier, indexes: ClosedRange<UInt64>) {
    self.damage = damage
    self.session = session
    self.indexes = indexes
  }
}

/// A version of a file whose content is damaged.
package struct AffectedEntry: Hashable, Sendable {
  package var damage: Int
  package var tree: Tree
  package var path: ByteString
  package var size: UInt64
  /// The sequences of the jobs that show this version: from one, to before another; nil for the latest state too.
  package var first: UInt64
  package var last: UInt64?

  package init(damage: Int, tree: Tree, path: ByteString, size: UInt64, first: UInt64, last: UInt64?) {
    self.damage = damage
    self.tree = tree
    self.path = path
    self.size = size
    self.first = first
    self.last = last
  }
}
