import VaultModel

/// Puts one file's tokens together to statements; after a mistake it goes on with the next statement.
struct ConfigurationParser {
  private let context: ParseContext
  private let file: ByteString
  /// The files that include one another, from the first to this one.
  private let chain: [ByteString]
  private var lexer: ConfigurationLexer
  private var token: ConfigurationToken

  /// The statements of a file and of all that it includes.
  static func parse(_ bytes: [UInt8], file: ByteString, context: ParseContext) -> [ConfigurationStatement] {
    guard context.takeFile(), context.takeBytes(bytes.count) else {
      context.report(
        SourcePosition(file: file, line: 1, column: 1),
        "the configuration is larger than \(ConfigurationLimits.bytes) bytes")
      return []
    }
    var parser = ConfigurationParser(bytes, file: file, chain: [file], context: context)
    return parser.statements(opening: nil, blockDepth: 0)
  }

  private init(_ bytes: [UInt8], file: ByteString, chain: [ByteString], context: ParseContext) {
    self.context = context
    self.file = file
    self.chain = chain
    lexer = ConfigurationLexer(bytes, file: file, context: context)
    token = lexer.next()
  }

  private mutating func advance() { token = lexer.next() }

  private mutating func skipNewlines() {
    while token.kind == .newline { advance() }
  }

  /// Statements up to the `}` that belongs to `opening`, or to the end of the file.
  private mutating func statements(opening: ConfigurationKeyword?, blockDepth: Int) -> [ConfigurationStatement] {
    var result: [ConfigurationStatement] = []
    while true {
      switch token.kind {
      case .newline, .semicolon: advance()
      case .end:
        if let opening {
          context.report(opening.position, "\(opening.writtenWithoutSecret) { is never closed: expected }")
        }
        return result
      case .close:
        if opening == nil { context.report(token.position, "this } closes nothing") }
        advance()
        if opening != nil { return result }
      case .word where token.text.first == UInt8(ascii: "@"):
        result += include(blockDepth: blockDepth)
      case .word:
        if let statement = statement(blockDepth: blockDepth) { result.append(statement) }
      case .quoted, .equals, .open, .comma:
        context.report(token.position, "expected a keyword, found \(token.shown)")
        skipStatement()
      }
    }
  }

  private mutating func statement(blockDepth: Int) -> ConfigurationStatement? {
    let position = token.position
    var words: [[UInt8]] = []
    while token.kind == .word {
      words.append(token.text)
      advance()
    }
    let keyword = ConfigurationKeyword(written: shortened(words.joined(separator: [0x20])), position: position)
    if token.kind == .equals {
      advance()
      let items = values(of: keyword)
      return items.isEmpty ? nil : .directive(keyword, items)
    }
    let end = token
    skipNewlines()
    guard token.kind == .open else {
      context.report(end.position, "expected = or { after \"\(keyword.writtenWithoutSecret)\", found \(end.shown)")
      if end.kind != .newline { skipStatement() }
      return nil
    }
    guard blockDepth < ConfigurationLimits.blockDepth else {
      context.report(position, "blocks are nested deeper than \(ConfigurationLimits.blockDepth)")
      skipBlock()
      return nil
    }
    advance()
    return .block(keyword, statements(opening: keyword, blockDepth: blockDepth + 1))
  }

  private mutating func values(of keyword: ConfigurationKeyword) -> [ConfigurationItem] {
    var items: [ConfigurationItem] = []
    var item = ConfigurationItem(position: token.position)
    while true {
      switch token.kind {
      case .word: item.pieces.append(.init(kind: .word, text: token.text))
      case .quoted: item.pieces.append(.init(kind: .quoted, text: token.text))
      case .equals: item.pieces.append(.init(kind: .equals, text: [UInt8(ascii: "=")]))
      case .comma:
        guard finish(item, of: keyword, into: &items) else {
          skipStatement()
          return []
        }
        advance()
        // A list goes on behind its comma on the next line.
        skipNewlines()
        item = ConfigurationItem(position: token.position)
        continue
      case .open:
        context.report(token.position, "a { cannot stand in the value of \(keyword.writtenWithoutSecret)")
        skipBlock()
        return []
      case .newline, .semicolon, .close, .end:
        return finish(item, of: keyword, into: &items) ? items : []
      }
      advance()
    }
  }

  private func finish(
    _ item: ConfigurationItem, of keyword: ConfigurationKeyword, into items: inout [ConfigurationItem]
  ) -> Bool {
    guard !item.pieces.isEmpty else {
      context.report(token.position, "expected a value for \(keyword.writtenWithoutSecret), found \(token.shown)")
      return false
    }
    items.append(item)
    return true
  }

  /// Goes behind the statement at hand, over all blocks in it.
  private mutating func skipStatement() {
    while true {
      switch token.kind {
      case .newline, .semicolon, .close, .end: return
      case .open:
        skipBlock()
        return
      default: advance()
      }
    }
  }

  /// Goes behind the `}` that belongs to the `{` at hand.
  private mutating func skipBlock() {
    var depth = 0
    repeat {
      if token.kind == .open { depth += 1 }
      if token.kind == .close { depth -= 1 }
      if token.kind == .end { return }
      advance()
    } while depth > 0
  }
}

// MARK: - Includes

extension ConfigurationParser {
  /// `@file`, `@"file"` or `@directory/*.conf`, relative to the including file's directory.
  private mutating func include(blockDepth: Int) -> [ConfigurationStatement] {
    let position = token.position
    var path = Array(token.text.dropFirst())
    advance()
    if path.isEmpty, token.kind == .quoted, token.position.line == position.line {
      path = token.text
      advance()
    }
    guard [.newline, .semicolon, .close, .end].contains(token.kind), !path.isEmpty else {
      context.report(position, "expected one file name after @: put it in quotes if it has spaces")
      skipStatement()
      return []
    }
    guard chain.count <= ConfigurationLimits.includeDepth else {
      context.report(
        position, "includes are nested deeper than \(ConfigurationLimits.includeDepth): does a file include itself?")
      return []
    }
    return IncludePath(path, from: file).files(at: position, context: context).flatMap {
      included($0, at: position, blockDepth: blockDepth)
    }
  }

  private func included(_ path: ByteString, at position: SourcePosition, blockDepth: Int) -> [ConfigurationStatement] {
    if let first = chain.firstIndex(of: path) {
      let circle = (chain[first...] + [path]).map(\.displayText).joined(separator: " → ")
      context.report(position, "this file includes itself: \(circle)")
      return []
    }
    guard context.takeFile() else {
      context.report(position, "the configuration has more than \(ConfigurationLimits.files) files")
      return []
    }
    do {
      let bytes = try context.environment.read(path, context.byteLimit)
      guard context.takeBytes(bytes.count) else {
        context.report(position, "with this file the configuration is larger than \(ConfigurationLimits.bytes) bytes")
        return []
      }
      var parser = ConfigurationParser(bytes, file: path, chain: chain + [path], context: context)
      return parser.statements(opening: nil, blockDepth: blockDepth)
    } catch {
      context.report(position, "\(path.displayText) cannot be included: \(error)")
      return []
    }
  }
}
