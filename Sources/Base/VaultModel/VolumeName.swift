/// The names of volumes: a prefix and a number of at least four digits: `vol-0001`, `vol-0002` … `vol-10000`.
package enum VolumeName {
  /// The prefix where a pool gives none.
  package static let defaultPrefix = "vol-"

  /// The name with a number, from 1.
  package static func make(_ number: Int, prefix: String = defaultPrefix) -> String {
    let digits = String(number)
    return prefix + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }

  /// The number in a name; nil when it is not that of a volume with this prefix, or with any.
  package static func number(_ name: String, prefix: String? = nil) -> Int? {
    let digits = name.utf8.reversed().prefix { (0x30...0x39).contains($0) }.count
    let found = String(decoding: name.utf8.dropLast(digits), as: UTF8.self)
    guard digits >= 4, let number = Int(name.suffix(digits)), number > 0, isPrefix(found), prefix ?? found == found,
      make(number, prefix: found) == name
    else { return nil }
    return number
  }

  /// Whether names of volumes may begin so: file names on any system, which end in no digit.
  package static func isPrefix(_ text: String) -> Bool {
    guard let first = text.utf8.first, let last = text.utf8.last, text.utf8.count <= 100 else { return false }
    return first != 0x2e && !(0x30...0x39).contains(last)
      && text.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
          || "._-".utf8.contains(byte)
      }
  }

  /// The order in which volumes were made: by number, and names without one after them.
  package static func isBefore(_ left: String, _ right: String) -> Bool {
    switch (number(left), number(right)) {
    case (let leftNumber?, let rightNumber?): (leftNumber, left) < (rightNumber, right)
    case (_?, nil): true
    case (nil, _?): false
    case (nil, nil): left < right
    }
  }
}
