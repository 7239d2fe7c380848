import VaultModel
import VaultSystem

/// The numbers that owners and groups have on this system: a name that is known here wins over the number that was saved.
struct OwnerNumbers {
  private struct Key: Hashable {
    var kind: OwnerKind
    var name: ByteString
  }

  private let isNumeric: Bool
  /// What saved numbers mean here, where that is another number.
  private var numbers: [OwnerKind: [UInt32: UInt32]] = [:]
  /// Names that were looked up.
  private var known: [Key: UInt32?] = [:]

  init(isNumeric: Bool) { self.isNumeric = isNumeric }

  /// Takes note of what a number means in the entries that follow.
  mutating func learn(_ kind: OwnerKind, _ number: UInt32, _ name: ByteString) {
    guard !isNumeric else { return }
    numbers[kind, default: [:]][number] = name.isEmpty ? nil : find(Key(kind: kind, name: name))
  }

  private mutating func find(_ key: Key) -> UInt32? {
    if let answer = known[key] { return answer }
    let number = AccountNames.number(of: key.name, key.kind)
    known[key] = .some(number)
    return number
  }

  /// Puts this system's numbers in the place of those saved.
  func resolve(_ attributes: inout FileAttributes) {
    if let owner = numbers[.user]?[attributes.owner] { attributes.owner = owner }
    if let group = numbers[.group]?[attributes.group] { attributes.group = group }
  }
}
