import VaultModel

/// What a file says, before a schema judges it.
enum ConfigurationStatement {
  /// `Keyword = value`
  case directive(ConfigurationKeyword, [ConfigurationItem])
  /// `Keyword { … }`
  case block(ConfigurationKeyword, [ConfigurationStatement])

  var keyword: ConfigurationKeyword {
    switch self {
    case .directive(let keyword, _), .block(let keyword, _): keyword
    }
  }
}

/// A keyword as it was written; case and spaces do not count.
struct ConfigurationKeyword {
  let written: String
  let normalized: String
  let position: SourcePosition

  init(written: String, position: SourcePosition) {
    self.written = written
    normalized = Self.normalize(written)
    self.position = position
  }

  /// The keyword for a complaint: where the `=` behind `Password` was forgotten, the password is not repeated.
  var writtenWithoutSecret: String {
    let words = written.split(separator: " ")
    guard let index = words.firstIndex(where: { $0.lowercased().hasPrefix("password") }), index + 1 < words.count
    else { return written }
    return words[...index].joined(separator: " ") + " …"
  }

  static func normalize(_ keyword: String) -> String {
    String(keyword.lowercased().filter { $0 != " " })
  }
}

/// One of a directive's values, which commas separate.
struct ConfigurationItem {
  struct Piece {
    enum Kind { case word, quoted, equals }
    let kind: Kind
    let text: [UInt8]
  }

  var pieces: [Piece] = []
  let position: SourcePosition
}
