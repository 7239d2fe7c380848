import VaultModel

/// Reads a pattern name by name into tokens.
struct GlobCompiler {
  /// What stands between two slashes; stars as they were written.
  struct Name {
    var tokens: [NameGlob.Token] = []

    /// Two or more stars and nothing else.
    var isStarsOnly: Bool { tokens.count >= 2 && tokens.allSatisfy { $0 == .star } }

    /// Stars in a row are one.
    var collapsed: [NameGlob.Token] {
      var result: [NameGlob.Token] = []
      for token in tokens where token != .star || result.last != .star { result.append(token) }
      return result
    }
  }

  private let bytes: [UInt8]
  private var position = 0
  private var isAtEnd = false

  init(_ pattern: ArraySlice<UInt8>) { bytes = Array(pattern) }

  /// The next name, an empty one included; nil after the last.
  mutating func nextName() throws(ExclusionPatternError.Kind) -> Name? {
    if isAtEnd { return nil }
    var name = Name()
    while let byte = take() {
      switch byte {
      case UInt8(ascii: "/"): return name
      case UInt8(ascii: "*"): name.tokens.append(.star)
      case UInt8(ascii: "?"): name.tokens.append(.any)
      case UInt8(ascii: "["): name.tokens.append(.set(try set()))
      case UInt8(ascii: "\\"):
        guard let escaped = take() else { throw .trailingBackslash }
        if escaped == UInt8(ascii: "/") { return name }
        name.tokens.append(.byte(escaped))
      default: name.tokens.append(.byte(byte))
      }
    }
    isAtEnd = true
    return name
  }

  private mutating func take() -> UInt8? {
    guard position < bytes.count else { return nil }
    defer { position += 1 }
    return bytes[position]
  }

  private func peek(_ ahead: Int = 0) -> UInt8? {
    position + ahead < bytes.count ? bytes[position + ahead] : nil
  }

  // MARK: Brackets

  /// What stands behind a `[`, up to its `]`. A `]` in the first place stands for itself.
  private mutating func set() throws(ExclusionPatternError.Kind) -> ByteSet {
    var set = ByteSet()
    let isNegated = peek() == UInt8(ascii: "!") || peek() == UInt8(ascii: "^")
    if isNegated { position += 1 }
    var isFirst = true
    while isFirst || peek() != UInt8(ascii: "]") {
      isFirst = false
      if try takeClass(into: &set) { continue }
      let low = try member()
      guard peek() == UInt8(ascii: "-"), let end = peek(1), end != UInt8(ascii: "]") else {
        set.insert(low)
        continue
      }
      position += 1
      let high = try member()
      guard low <= high else { throw .emptyRange }
      set.insert(low...high)
    }
    position += 1
    if isNegated { set.invert() }
    return set
  }

  private mutating func member() throws(ExclusionPatternError.Kind) -> UInt8 {
    guard let byte = take() else { throw .openBracket }
    guard byte == UInt8(ascii: "\\") else { return byte }
    guard let escaped = take() else { throw .openBracket }
    return escaped
  }

  /// Takes `[:name:]`; false when none stands here.
  private mutating func takeClass(into set: inout ByteSet) throws(ExclusionPatternError.Kind) -> Bool {
    guard peek() == UInt8(ascii: "["), peek(1) == UInt8(ascii: ":") else { return false }
    guard let end = bytes[(position + 2)...].firstIndex(of: UInt8(ascii: "]")) else { throw .openBracket }
    guard end > position + 2, bytes[end - 1] == UInt8(ascii: ":") else { return false }
    let name = ByteString(bytes[(position + 2)..<(end - 1)])
    guard let isMember = Self.classes[name] else { throw .unknownClass(name) }
    set.insert(where: isMember)
    position = end + 1
    return true
  }

  /// The classes of POSIX in its own locale: bytes beyond ASCII are in none.
  private static let classes: [ByteString: @Sendable (UInt8) -> Bool] = [
    "alnum": { isAlpha($0) || isDigit($0) },
    "alpha": isAlpha,
    "blank": { $0 == 0x20 || $0 == 0x09 },
    "cntrl": { $0 < 0x20 || $0 == 0x7f },
    "digit": isDigit,
    "graph": { (0x21...0x7e).contains($0) },
    "lower": { (0x61...0x7a).contains($0) },
    "print": { (0x20...0x7e).contains($0) },
    "punct": { (0x21...0x7e).contains($0) && !isAlpha($0) && !isDigit($0) },
    "space": { $0 == 0x20 || (0x09...0x0d).contains($0) },
    "upper": { (0x41...0x5a).contains($0) },
    "xdigit": { isDigit($0) || (0x41...0x46).contains($0) || (0x61...0x66).contains($0) },
  ]

  @Sendable private static func isAlpha(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
  @Sendable private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
