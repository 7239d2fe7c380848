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
        reportUnknown(statement.keyword, kind: "a resource", place: nil, known: schema.resources.flatMap(\.words))
        continue
      }
      if let block = block(keyword, inner, among: schema.resources, place: nil) { blocks.append(block) }
    }
    checkOccurrence(of: schema.resources, in: blocks, owner: "the configuration", position: start)
    checkNames(of: blocks)
    checkReferences(in: blocks)
    inherit(in: &blocks)
    for index in blocks.indices {
      blocks[index].fillDefaults()
      complete(blocks[index])
    }
    schema.check(blocks) { context.report($0, $1) }
    return blocks
  }

  private func block(
    _ keyword: ConfigurationKeyword, _ statements: [ConfigurationStatement], among schemas: [BlockSchema],
    place: BlockSchema?
  ) -> ConfigurationBlock? {
    guard let schema = schemas.first(where: { $0.isMeant(by: keyword) }) else {
      if let place, place.directives.contains(where: { $0.isMeant(by: keyword) }) {
        context.report(keyword.position, "\(keyword.writtenWithoutSecret) takes a value: expected = after it, found {")
      } else {
        let known = (place?.directives.flatMap(\.words) ?? []) + schemas.flatMap(\.words)
        reportUnknown(keyword, kind: place == nil ? "a resource" : "a block", place: place, known: known)
      }
      return nil
    }
    var block = ConfigurationBlock(schema: schema, position: keyword.position)
    for statement in statements {
      switch statement {
      case .block(let keyword, let inner):
        if let inside = self.block(keyword, inner, among: schema.blocks, place: schema) { block.blocks.append(inside) }
      case .directive(let keyword, let items):
        directive(keyword, items, schema: schema, into: &block)
      }
    }
    checkOccurrence(of: schema.blocks, in: block.blocks, owner: "this \(schema.keyword)", position: block.position)
    return block
  }

  /// Looks for what a resource must say, or have inherited, and does not.
  private func complete(_ block: ConfigurationBlock) {
    for directive in block.schema.directives
    where directive.occurrence.isRequired && block.position(of: directive.keyword) == nil {
      context.report(
        block.position, "this \(block.keyword) has no \(directive.keyword): expected \(directive.kind.expectation)")
    }
    for inside in block.blocks { complete(inside) }
    block.schema.check(block) { context.report($0, $1) }
  }

  private func directive(
    _ keyword: ConfigurationKeyword, _ items: [ConfigurationItem], schema: BlockSchema,
    into block: inout ConfigurationBlock
  ) {
    guard let directive = schema.directives.first(where: { $0.isMeant(by: keyword) }) else {
      if schema.blocks.contains(where: { $0.isMeant(by: keyword) }) {
        context.report(keyword.position, "\(keyword.writtenWithoutSecret) is a block: expected { after it, found =")
      } else {
        reportUnknown(
          keyword, kind: "a directive", place: schema,
          known: schema.directives.flatMap(\.words) + schema.blocks.flatMap(\.words))
      }
      return
    }
    if let first = block.position(of: directive.keyword), !directive.occurrence.isRepeatable {
      let hint = directive.insteadOfSeveral.map { "; \($0)" } ?? ""
      context.report(keyword.position, "\(directive.keyword) is given twice: it stands in \(first) already\(hint)")
      return
    }
    if directive.kind.takesWholeStatement {
      let start = items.first?.position ?? keyword.position
      switch directive.kind.read(items) {
      case .success(let value): block.add(value, for: directive.keyword, at: keyword.position, valueAt: start)
      case .failure(let complaint):
        context.report(complaint.position ?? start, "\(directive.keyword): \(complaint.text)")
        block.add(.invalid, for: directive.keyword, at: keyword.position, valueAt: start)
      }
      return
    }
    if items.count > 1, !directive.occurrence.isRepeatable {
      let hint = directive.insteadOfSeveral ?? "put it in quotes if it has a comma"
      context.report(items[1].position, "\(directive.keyword) takes one value: \(hint)")
    }
    for item in items.prefix(directive.occurrence.isRepeatable ? items.count : 1) {
      switch directive.kind.read(item) {
      case .success(let value):
        block.add(value, for: directive.keyword, at: keyword.position, valueAt: item.position)
      case .failure(let complaint):
        context.report(item.position, "\(directive.keyword): \(complaint.text)")
        // A wrong value is not a missing one.
        block.add(.invalid, for: directive.keyword, at: keyword.position, valueAt: item.position)
      }
    }
  }

  private func checkOccurrence(
    of schemas: [BlockSchema], in blocks: [ConfigurationBlock], owner: String, position: SourcePosition
  ) {
    for schema in schemas {
      let found = blocks.filter { $0.keyword == schema.keyword }
      if found.isEmpty, schema.occurrence.isRequired {
        context.report(position, "\(owner) has no \(schema.keyword) { … }")
      }
      guard !schema.occurrence.isRepeatable else { continue }
      for extra in found.dropFirst() {
        context.report(extra.position, "\(schema.keyword) is given twice: it stands in \(found[0].position) already")
      }
    }
  }

  private func reportUnknown(_ keyword: ConfigurationKeyword, kind: String, place: BlockSchema?, known: [String]) {
    var text = "\"\(keyword.writtenWithoutSecret)\" is not \(kind)"
    if let place { text += " of \(place.keyword)" }
    // A long list helps nobody; the nearest keyword then says enough.
    if (1...8).contains(known.count) { text += ": expected \(ValueKind.enumeration(known))" }
    if let nearest = KeywordSuggestion.nearest(to: keyword.written, among: known) {
      text += "; did you mean \"\(nearest)\"?"
    } else if known.count > 8 {
      text += ": vault.conf(5) lists what there is"
    }
    context.report(keyword.position, text)
  }
}

// MARK: - What resources say of one another

extension ConfigurationValidator {
  /// Two resources of one kind must not have one name.
  private func checkNames(of blocks: [ConfigurationBlock]) {
    var places: [String: SourcePosition] = [:]
    for block in blocks where block.schema.hasName {
      guard let name = block.name("Name") else { continue }
      let key = key(block.keyword, name)
      let place = block.position(of: "Name") ?? block.position
      if let first = places[key] {
        context.report(place, "\(block.keyword) \"\(shown(name))\" is there twice: the other one stands in \(first)")
      } else {
        places[key] = place
      }
    }
  }

  /// Whatever names another resource must name one that is there.
  private func checkReferences(in blocks: [ConfigurationBlock]) {
    var names: [String: [String]] = [:]
    var defined: Set<String> = []
    for block in blocks where block.schema.hasName {
      guard let name = block.name("Name") else { continue }
      names[block.keyword, default: []].append(name)
      defined.insert(key(block.keyword, name))
    }
    for block in blocks {
      for directive in block.schema.directives {
        guard case .reference(let keyword) = directive.kind else { continue }
        let known = names[keyword] ?? []
        for entry in block.entries(directive.keyword) {
          guard case .name(let name) = entry.value, !defined.contains(key(keyword, name)) else { continue }
          // Looking for what was meant takes time, and nobody reads that many complaints.
          guard !context.isFull else { return }
          var text = "\(directive.keyword): there is no \(keyword) called \"\(shown(name))\""
          if (1...8).contains(known.count) { text += ": expected \(ValueKind.enumeration(known.map(shown)))" }
          if let nearest = KeywordSuggestion.nearest(to: name, among: known) {
            text += "; did you mean \"\(shown(nearest))\"?"
          }
          context.report(entry.position, text)
        }
      }
    }
  }

  /// Gives resources what those that they name as their pattern say.
  private func inherit(in blocks: inout [ConfigurationBlock]) {
    var patterns: [String: ConfigurationBlock] = [:]
    for block in blocks where block.schema.hasName {
      if let name = block.name("Name") { patterns[key(block.keyword, name)] = block }
    }
    for index in blocks.indices {
      guard let keyword = blocks[index].schema.inherits, let name = blocks[index].name(keyword),
        let pattern = patterns[key(keyword, name)]
      else {
        continue
      }
      blocks[index].inherit(from: pattern)
    }
  }

  /// A resource's name among those of all kinds.
  private func key(_ keyword: String, _ name: String) -> String { keyword + "\0" + name }

  private func shown(_ name: String) -> String { shortened(name.utf8) }
}
