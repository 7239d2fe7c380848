import VaultModel

/// Holds statements against a schema and turns their values into what they mean.
struct ConfigurationValidator {
  let context: ParseContext

  func resources(
    _ statements: [ConfigurationStatement], schema: ConfigurationSchema, start: SourcePosition
  ) -> [ConfigurationBlock] {
    var blocks: [ConfigurationBlock] = []
    for statement in statements {
      guard case .block(let keyword, let inner) = statement else {
        reportUnknown(statement.keyword, kind: "a resource", place: nil, known: schema.resources.map(\.keyword))
        continue
      }
      if let block = block(keyword, inner, among: schema.resources, place: nil) { blocks.append(block) }
    }
    checkOccurrence(of: schema.resources, in: blocks, owner: "the configuration", position: start)
    return blocks
  }

  private func block(
    _ keyword: ConfigurationKeyword, _ statements: [ConfigurationStatement], among schemas: [BlockSchema],
    place: BlockSchema?
  ) -> ConfigurationBlock? {
    guard let schema = schemas.first(where: { matches(keyword, $0.keyword) }) else {
      if let place, place.directives.contains(where: { matches(keyword, $0.keyword) }) {
        context.report(keyword.position, "\(keyword.written) takes a value: expected = after it, found {")
      } else {
        let known = (place?.directives.map(\.keyword) ?? []) + schemas.map(\.keyword)
        reportUnknown(keyword, kind: place == nil ? "a resource" : "a block", place: place, known: known)
      }
      return nil
    }
    var block = ConfigurationBlock(keyword: schema.keyword, position: keyword.position)
    for statement in statements {
      switch statement {
      case .block(let keyword, let inner):
        if let inside = self.block(keyword, inner, among: schema.blocks, place: schema) { block.blocks.append(inside) }
      case .directive(let keyword, let items):
        directive(keyword, items, schema: schema, into: &block)
      }
    }
    for directive in schema.directives
    where directive.occurrence.isRequired && block.position(of: directive.keyword) == nil {
      context.report(
        block.position, "this \(schema.keyword) has no \(directive.keyword): expected \(directive.kind.expectation)")
    }
    checkOccurrence(of: schema.blocks, in: block.blocks, owner: "this \(schema.keyword)", position: block.position)
    return block
  }

  private func directive(
    _ keyword: ConfigurationKeyword, _ items: [ConfigurationItem], schema: BlockSchema,
    into block: inout ConfigurationBlock
  ) {
    guard let directive = schema.directives.first(where: { matches(keyword, $0.keyword) }) else {
      if schema.blocks.contains(where: { matches(keyword, $0.keyword) }) {
        context.report(keyword.position, "\(keyword.written) is a block: expected { after it, found =")
      } else {
        reportUnknown(
          keyword, kind: "a directive", place: schema,
          known: schema.directives.map(\.keyword) + schema.blocks.map(\.keyword))
      }
      return
    }
    if let first = block.position(of: directive.keyword), !directive.occurrence.isRepeatable {
      context.report(keyword.position, "\(directive.keyword) is given twice: it stands in \(first) already")
      return
    }
    if items.count > 1, !directive.occurrence.isRepeatable {
      context.report(items[1].position, "\(directive.keyword) takes one value: put it in quotes if it has a comma")
    }
    for item in items.prefix(directive.occurrence.isRepeatable ? items.count : 1) {
      switch directive.kind.read(item) {
      case .success(let value): block.add(value, for: directive.keyword, at: keyword.position)
      case .failure(let complaint):
        context.report(item.position, "\(directive.keyword): \(complaint.text)")
        // A wrong value is not a missing one.
        block.add(.invalid, for: directive.keyword, at: keyword.position)
      }
    }
  }

  private func matches(_ keyword: ConfigurationKeyword, _ known: String) -> Bool {
    keyword.normalized == ConfigurationKeyword.normalize(known)
  }

  private func checkOccurrence(
    of schemas: [BlockSchema], in blocks: [ConfigurationBlock], owner: String, position: SourcePosition
  ) {
    for schema in schemas where !schema.occurrence.isRepeatable {
      let found = blocks.filter { $0.keyword == schema.keyword }
      if found.isEmpty, schema.occurrence.isRequired {
        context.report(position, "\(owner) has no \(schema.keyword) { … }")
      }
      for extra in found.dropFirst() {
        context.report(extra.position, "\(schema.keyword) is given twice: it stands in \(found[0].position) already")
      }
    }
  }

  private func reportUnknown(_ keyword: ConfigurationKeyword, kind: String, place: BlockSchema?, known: [String]) {
    var text = "\"\(keyword.written)\" is not \(kind)"
    if let place { text += " of \(place.keyword)" }
    // A long list helps nobody; the nearest keyword then says enough.
    if (1...8).contains(known.count) { text += ": expected \(ValueKind.enumeration(known))" }
    if let nearest = KeywordSuggestion.nearest(to: keyword.written, among: known) {
      text += "; did you mean \"\(nearest)\"?"
    }
    context.report(keyword.position, text)
  }
}
