import VaultModel
import VaultProtocol
import VaultSystem

/// The owners and groups that this attempt has met, each looked up once.
struct OwnerNames {
  struct Owner {
    var kind: OwnerKind
    var number: UInt32
    /// Empty when the number has no name.
    var name: ByteString
  }

  private var known: [OwnerKind: Set<UInt32>] = [:]
  /// Most entries have the owner and group of the one before.
  private var last: (owner: UInt32, group: UInt32)?

  /// Those of an entry that were not met before.
  mutating func new(in attributes: FileAttributes) -> [Owner] {
    if let last, last == (attributes.owner, attributes.group) { return [] }
    last = (attributes.owner, attributes.group)
    return [(.user, attributes.owner), (.group, attributes.group)].compactMap { kind, number in
      guard known[kind, default: []].insert(number).inserted else { return nil }
      let name = AccountNames.name(of: number, kind) ?? ""
      // A name that fits no record, or holds a NUL, is none that a system could find again.
      let isUsable = name.count <= OwnerNameRules.byteLimit && !name.bytes.contains(0)
      return Owner(kind: kind, number: number, name: isUsable ? name : "")
    }
  }
}
