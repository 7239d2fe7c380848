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
  let position: SourcePosition

  var normalized: String { Self.normalize(written) }

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
