/// A pattern of one name: `*` any characters, `?` one character, `[a-z]` and `[!a-z]` one of a set or none of it, `\` takes
/// the next character as it is.
///
/// A character is a Unicode scalar, and each byte that is not UTF-8 is one by itself. Names that begin with a dot are names
/// like any other. An unclosed `[` and a `\` at the end stand for themselves.
/// - Bounds: matching takes at most the product of both lengths, whatever the pattern.
package struct NamePattern: Hashable, Sendable {
  private enum Token: Hashable, Sendable {
    case character(UInt32)
    case any
    case set([ClosedRange<UInt32>], isNegated: Bool)
    /// Any number of characters.
    case run
  }

  private var tokens: [Token] = []
  /// Fewer characters than this match nothing.
  private var leastCount = 0

  package init(_ pattern: ByteString) {
    let characters = Self.characters(pattern.bytes)
    var index = 0
    while index < characters.count {
      switch characters[index] {
      case 0x2a:
        // Several in a row are one.
        if tokens.last != .run { tokens.append(.run) }
      case 0x3f: tokens.append(.any)
      case 0x5b:
        if let (set, end) = Self.set(characters, from: index + 1) {
          tokens.append(set)
          index = end
        } else {
          tokens.append(.character(0x5b))
        }
      case 0x5c where index + 1 < characters.count:
        index += 1
        tokens.append(.character(characters[index]))
      case let other: tokens.append(.character(other))
      }
      index += 1
    }
    leastCount = tokens.count { $0 != .run }
  }

  /// The name that alone matches, when there is only one.
  package var literal: ByteString? {
    var bytes: [UInt8] = []
    for token in tokens {
      guard case .character(let character) = token else { return nil }
      Self.append(character, to: &bytes)
    }
    return ByteString(bytes)
  }

  /// Whether the whole name is as the pattern says.
  package func matches(_ name: ByteString) -> Bool {
    let bytes = name.bytes
    guard bytes.count >= leastCount else { return false }
    var token = 0
    var offset = 0
    // Where to go on when what follows the last run does not fit: one character later. Earlier runs need no second try.
    var retry: (token: Int, offset: Int)?
    while true {
      if token < tokens.count {
        if tokens[token] == .run {
          token += 1
          retry = (token, offset)
          continue
        }
        if offset < bytes.count {
          let (character, length) = Self.character(bytes, at: offset)
          if Self.accepts(tokens[token], character) {
            token += 1
            offset += length
            continue
          }
        }
      } else if offset == bytes.count {
        return true
      }
      guard let last = retry, last.offset < bytes.count else { return false }
      let next = last.offset + Self.character(bytes, at: last.offset).length
      retry = (last.token, next)
      token = last.token
      offset = next
    }
  }

  private static func accepts(_ token: Token, _ character: UInt32) -> Bool {
    switch token {
    case .character(let wanted): wanted == character
    case .any: true
    case .set(let ranges, let isNegated): ranges.contains { $0.contains(character) } != isNegated
    case .run: false
    }
  }

  /// Reads a set behind its `[`.
  ///
  /// - Returns: the set and where its `]` is; nil when there is none.
  private static func set(_ characters: [UInt32], from start: Int) -> (Token, end: Int)? {
    var index = start
    var isNegated = false
    if index < characters.count, characters[index] == 0x21 || characters[index] == 0x5e {
      isNegated = true
      index += 1
    }
    let first = index
    var ranges: [ClosedRange<UInt32>] = []
    func member() -> UInt32? {
      if index + 1 < characters.count, characters[index] == 0x5c { index += 1 }
      guard index < characters.count else { return nil }
      index += 1
      return characters[index - 1]
    }
    while index < characters.count {
      // A `]` that comes first is a member.
      if characters[index] == 0x5d, index > first { return (.set(ranges, isNegated: isNegated), index) }
      guard let low = member() else { return nil }
      guard index + 1 < characters.count, characters[index] == 0x2d, characters[index + 1] != 0x5d else {
        ranges.append(low...low)
        continue
      }
      index += 1
      guard let high = member() else { return nil }
      // A range that ends before it begins holds nothing.
      if low <= high { ranges.append(low...high) }
    }
    return nil
  }

  // MARK: Characters

  /// Above every Unicode scalar: bytes that are not UTF-8.
  private static let firstByte: UInt32 = 0x11_0000

  private static func characters(_ bytes: [UInt8]) -> [UInt32] {
    var characters: [UInt32] = []
    var offset = 0
    while offset < bytes.count {
      let (character, length) = character(bytes, at: offset)
      characters.append(character)
      offset += length
    }
    return characters
  }

  private static func character(_ bytes: [UInt8], at offset: Int) -> (character: UInt32, length: Int) {
    let lead = bytes[offset]
    if lead < 0x80 { return (UInt32(lead), 1) }
    let (length, least): (Int, UInt32) = lead < 0xe0 ? (2, 0x80) : lead < 0xf0 ? (3, 0x800) : (4, 0x1_0000)
    let lone = (firstByte + UInt32(lead), 1)
    guard lead >= 0xc2, lead < 0xf5, offset + length <= bytes.count else { return lone }
    var value = UInt32(lead) & (0x7f >> UInt32(length))
    for byte in bytes[(offset + 1)..<(offset + length)] {
      guard byte & 0xc0 == 0x80 else { return lone }
      value = value << 6 | UInt32(byte & 0x3f)
    }
    guard value >= least, Unicode.Scalar(value) != nil else { return lone }
    return (value, length)
  }

  private static func append(_ character: UInt32, to bytes: inout [UInt8]) {
    if let scalar = Unicode.Scalar(character) {
      bytes.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
    } else {
      bytes.append(UInt8(truncatingIfNeeded: character))
    }
  }
}
