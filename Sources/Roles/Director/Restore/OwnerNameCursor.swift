import VaultCatalog
import VaultModel

/// What the numbers of owners and groups mean, told to the file daemon where it changes.
struct OwnerNameCursor {
  struct Owner: Hashable {
    var kind: OwnerKind
    var number: UInt32
    var name: ByteString = ""
  }

  private struct Question: Hashable {
    var owner: Owner
    var sequence: UInt64
  }

  /// Names change seldom and owners are few; where they are not, the catalog is asked again.
  private static let knownLimit = 65_536

  private let catalog: any CatalogStore
  private let tree: Tree
  /// What the last row asked for: most rows ask the same, and nothing is to be told again.
  private var last: (owner: UInt32, group: UInt32, sequence: UInt64)?
  private var known: [Question: ByteString] = [:]
  /// What was told last of each number.
  private var told: [Owner: ByteString] = [:]

  init(catalog: any CatalogStore, tree: Tree) {
    self.catalog = catalog
    self.tree = tree
  }

  /// What is to be told before a row.
  mutating func changes(for row: StateRow) throws -> [Owner] {
    let attributes = row.entry.attributes
    if let last, last == (attributes.owner, attributes.group, row.first) { return [] }
    last = (attributes.owner, attributes.group, row.first)
    var changes: [Owner] = []
    for owner in [Owner(kind: .user, number: attributes.owner), Owner(kind: .group, number: attributes.group)] {
      let name = try name(Question(owner: owner, sequence: row.first))
      guard told[owner] ?? "" != name else { continue }
      told[owner] = name
      changes.append(Owner(kind: owner.kind, number: owner.number, name: name))
    }
    return changes
  }

  private mutating func name(_ question: Question) throws -> ByteString {
    if let name = known[question] { return name }
    let name =
      try catalog.ownerName(
        of: tree, sequence: question.sequence, kind: question.owner.kind, number: question.owner.number) ?? ""
    if known.count >= Self.knownLimit { known = [:] }
    known[question] = name
    return name
  }
}
