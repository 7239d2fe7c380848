import VaultModel

/// Cuts one file's bytes into tokens.
///
/// A word ends at white space and at `= { } ; , # "`; a string stands in double quotes on one line. In both,
/// `${NAME}` is replaced by the variable's value, which is never read as language again; `${NAME:-other}` stands for
/// `other` when the variable is not defined or empty.
struct ConfigurationLexer {
  private let bytes: [UInt8]
  private let context: ParseContext
  private var offset = 0
  private var position: SourcePosition

  init(_ bytes: [UInt8], file: ByteString, context: ParseContext) {
    self.bytes = bytes
    self.context = context
    position = SourcePosition(file: file, line: 1, column: 1)
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { offset = 3 }
  }

  mutating func next() -> ConfigurationToken {
    skipSpaceAndComment()
    let start = position
    guard let byte = peek() else { return ConfigurationToken(kind: .end, position: start) }
    if let mark = Self.mark(byte) {
      advance()
      return ConfigurationToken(kind: mark, position: start)
    }
    return byte == UInt8(ascii: "\"") ? quoted(start) : word(start)
  }

  private static func mark(_ byte: UInt8) -> ConfigurationToken.Kind? {
    switch byte {
    case UInt8(ascii: "="): .equals
    case UInt8(ascii: "{"): .open
    case UInt8(ascii: "}"): .close
    case UInt8(ascii: ","): .comma
    case UInt8(ascii: ";"): .semicolon
    case UInt8(ascii: "\n"): .newline
    default: nil
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }

  private func peek(_ distance: Int = 0) -> UInt8? {
    offset + distance < bytes.count ? bytes[offset + distance] : nil
  }

  private mutating func advance() {
    let byte = bytes[offset]
    offset += 1
    if byte == UInt8(ascii: "\n") {
      position.line += 1
      position.column = 1
    } else if offset >= bytes.count || bytes[offset] & 0xc0 != 0x80 {
      // A character of several bytes is one column: it counts when its last byte is passed.
      position.column += 1
    }
  }

  private mutating func skipSpaceAndComment() {
    while let byte = peek(), Self.isSpace(byte) { advance() }
    guard peek() == UInt8(ascii: "#") else { return }
    while let byte = peek(), byte != UInt8(ascii: "\n") { advance() }
  }

  private mutating func word(_ start: SourcePosition) -> ConfigurationToken {
    var text: [UInt8] = []
    while let byte = peek() {
      if byte == UInt8(ascii: "$"), peek(1) == UInt8(ascii: "{") {
        substitute(into: &text)
        continue
      }
      if Self.isSpace(byte) || Self.mark(byte) != nil || byte == UInt8(ascii: "#") || byte == UInt8(ascii: "\"") {
        break
      }
      take(byte, into: &text)
    }
    return ConfigurationToken(kind: .word, text: text, position: start)
  }

  private mutating func quoted(_ start: SourcePosition) -> ConfigurationToken {
    var text: [UInt8] = []
    advance()
    while true {
      guard let byte = peek(), byte != UInt8(ascii: "\n") else {
        context.report(start, "this string is not closed: expected \" before the end of the line")
        break
      }
      if byte == UInt8(ascii: "\"") {
        advance()
        break
      }
      if byte == UInt8(ascii: "\\") {
        escape(into: &text)
      } else if byte == UInt8(ascii: "$"), peek(1) == UInt8(ascii: "{") {
        substitute(into: &text)
      } else {
        take(byte, into: &text)
      }
    }
    return ConfigurationToken(kind: .quoted, text: text, position: start)
  }

  /// Takes one byte as it is; a control character is a mistake and left out.
  private mutating func take(_ byte: UInt8, into text: inout [UInt8]) {
    if byte >= 0x20 && byte != 0x7f || byte == 0x09 {
      text.append(byte)
    } else {
      context.report(
        position, "the control character 0x\(String(byte, radix: 16)) cannot stand here: write it as \\x in quotes")
    }
    advance()
  }

  /// `\n`, `\t`, `\r`, `\xHH`; a mark behind the backslash stands for itself, as in Bacula.
  private mutating func escape(into text: inout [UInt8]) {
    let start = position
    advance()
    guard let byte = peek(), byte != UInt8(ascii: "\n") else { return }
    advance()
    switch byte {
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "x"):
      guard let high = hexDigit(peek()), let low = hexDigit(peek(1)), high + low > 0 else {
        context.report(start, "expected two hexadecimal digits, not 00, after \\x")
        return
      }
      advance()
      advance()
      text.append(high << 4 | low)
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      context.report(
        start,
        "\\\(Character(UnicodeScalar(byte))) is not an escape: expected \\\\, \\\", \\n, \\t, \\r or \\x and two digits"
      )
    default: text.append(byte)
    }
  }

  private func hexDigit(_ byte: UInt8?) -> UInt8? {
    byte.flatMap { Character(UnicodeScalar($0)).hexDigitValue }.flatMap { UInt8(exactly: $0) }
  }

  /// Replaces `${NAME}` or `${NAME:-other}` at the current place.
  private mutating func substitute(into text: inout [UInt8]) {
    let start = position
    advance()
    advance()
    var name = ""
    while let byte = peek(), isNameByte(byte) {
      name.unicodeScalars.append(UnicodeScalar(byte))
      advance()
    }
    var replacement: ByteString?
    if !name.isEmpty, peek() == UInt8(ascii: ":"), peek(1) == UInt8(ascii: "-") {
      advance()
      advance()
      replacement = untilBrace()
    }
    guard peek() == UInt8(ascii: "}"), !name.isEmpty else {
      context.report(start, "expected a variable's name and } after ${")
      return
    }
    advance()
    let defined = context.environment.variable(name)
    guard let value = defined?.isEmpty == true ? replacement ?? defined : defined ?? replacement else {
      context.report(start, "the variable \(name) is not defined: define it, or write ${\(name):-value}")
      return
    }
    guard context.takeBytes(value.count) else {
      context.report(start, "with its variables the configuration is larger than \(ConfigurationLimits.bytes) bytes")
      return
    }
    text.append(contentsOf: value.bytes)
  }

  /// Takes the bytes before the next `}` of this line; no control characters among them.
  private mutating func untilBrace() -> ByteString {
    var text: [UInt8] = []
    while let byte = peek(), byte != UInt8(ascii: "}"), byte != UInt8(ascii: "\n") { take(byte, into: &text) }
    return ByteString(text)
  }

  private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
