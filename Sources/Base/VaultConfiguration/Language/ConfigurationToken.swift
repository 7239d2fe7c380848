import VaultModel

/// One word or mark of the resource language.
struct ConfigurationToken {
  enum Kind: Hashable {
    case word
    /// A string in quotes, escapes resolved.
    case quoted
    case equals
    case open
    case close
    case comma
    case semicolon
    case newline
    case end
  }

  let kind: Kind
  /// The bytes of a word or a string; empty for marks.
  var text: [UInt8] = []
  let position: SourcePosition

  /// The token as a complaint names it.
  var shown: String {
    switch kind {
    case .word: "\"\(shortened(text))\""
    case .quoted: "a string in quotes"
    case .equals: "\"=\""
    case .open: "\"{\""
    case .close: "\"}\""
    case .comma: "\",\""
    case .semicolon: "\";\""
    case .newline: "the end of the line"
    case .end: "the end of the file"
    }
  }
}

/// Bytes as a complaint shows them: escaped, and no more of them than a person reads.
func shortened(_ bytes: some Sequence<UInt8>) -> String {
  let limit = 80
  let beginning = Array(bytes.prefix(limit + 1))
  return beginning.count <= limit
    ? ByteString(beginning).displayText : ByteString(beginning.prefix(limit)).displayText + "…"
}
