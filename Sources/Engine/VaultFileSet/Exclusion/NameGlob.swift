/// A pattern for one name, compiled once: the usual shapes compare bytes, the others step through tokens.
///
/// Matching goes back to the last `*` only, so it takes at most (name × pattern) steps whatever the two hold.
struct NameGlob: Sendable, Hashable {
  enum Token: Sendable, Hashable {
    case byte(UInt8)
    case any
    /// Any run of bytes; two never follow each other.
    case star
    case set(ByteSet)
  }

  private enum Form: Sendable, Hashable {
    case everything
    case literal([UInt8])
    /// `head*`
    case prefix([UInt8])
    /// `*tail`
    case suffix([UInt8])
    case tokens([Token])
  }

  private let form: Form

  init(_ tokens: [Token]) {
    let bytes = tokens.compactMap { token in
      if case .byte(let byte) = token { byte } else { nil as UInt8? }
    }
    let others = tokens.count - bytes.count
    if others == 0 {
      form = .literal(bytes)
    } else if others == 1, tokens.first == .star {
      form = bytes.isEmpty ? .everything : .suffix(bytes)
    } else if others == 1, tokens.last == .star {
      form = .prefix(bytes)
    } else {
      form = .tokens(tokens)
    }
  }

  /// The name itself when the pattern matches that one only.
  var literal: [UInt8]? {
    if case .literal(let bytes) = form { bytes } else { nil }
  }

  @inline(__always)
  func matches(_ name: UnsafeRawBufferPointer) -> Bool {
    switch form {
    case .everything: true
    case .literal(let bytes): name.count == bytes.count && Self.isEqual(name, 0, bytes)
    case .prefix(let bytes): name.count >= bytes.count && Self.isEqual(name, 0, bytes)
    case .suffix(let bytes): name.count >= bytes.count && Self.isEqual(name, name.count - bytes.count, bytes)
    case .tokens(let tokens): Self.matches(name, tokens)
    }
  }

  @inline(__always)
  private static func isEqual(_ name: UnsafeRawBufferPointer, _ start: Int, _ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes {
      orderOfBytes(UnsafeRawBufferPointer(rebasing: name[start..<start + bytes.count]), $0) == 0
    }
  }

  private static func matches(_ name: UnsafeRawBufferPointer, _ tokens: [Token]) -> Bool {
    tokens.withUnsafeBufferPointer { tokens in
      var (position, token) = (0, 0)
      /// Where to go on when what follows the last star does not match: the star takes one byte more.
      var retry: (position: Int, token: Int)?
      while position < name.count || token < tokens.count {
        if token < tokens.count {
          if case .star = tokens[token] {
            token += 1
            if token == tokens.count { return true }
            retry = (position, token)
            continue
          }
          if position < name.count, tokens[token].matches(name[position]) {
            position += 1
            token += 1
            continue
          }
        }
        guard let last = retry, last.position < name.count else { return false }
        retry = (last.position + 1, last.token)
        (position, token) = (last.position + 1, last.token)
      }
      return true
    }
  }
}

extension NameGlob.Token {
  @inline(__always)
  fileprivate func matches(_ byte: UInt8) -> Bool {
    switch self {
    case .byte(let own): own == byte
    case .any: true
    case .set(let set): set.contains(byte)
    case .star: false
    }
  }
}

/// Some of the 256 bytes.
struct ByteSet: Sendable, Hashable {
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  init() {}

  @inline(__always)
  func contains(_ byte: UInt8) -> Bool {
    let word =
      switch byte >> 6 {
      case 0: words.0
      case 1: words.1
      case 2: words.2
      default: words.3
      }
    return word >> UInt64(byte & 63) & 1 == 1
  }

  mutating func insert(_ byte: UInt8) {
    let bit = UInt64(1) << UInt64(byte & 63)
    switch byte >> 6 {
    case 0: words.0 |= bit
    case 1: words.1 |= bit
    case 2: words.2 |= bit
    default: words.3 |= bit
    }
  }

  mutating func insert(_ bytes: ClosedRange<UInt8>) { for byte in bytes { insert(byte) } }

  mutating func insert(where isMember: (UInt8) -> Bool) {
    for byte in UInt8.min...UInt8.max where isMember(byte) { insert(byte) }
  }

  mutating func invert() { words = (~words.0, ~words.1, ~words.2, ~words.3) }

  static func == (left: ByteSet, right: ByteSet) -> Bool { left.words == right.words }

  func hash(into hasher: inout Hasher) {
    for word in [words.0, words.1, words.2, words.3] { hasher.combine(word) }
  }
}
