import VaultModel

/// What a message is about, in the field's words.
package enum MessageClass: String, CaseIterable, Sendable {
  case info
  case warning
  case error
  case fatal
  case terminate
  case notSaved = "notsaved"
  case skipped
  case mount
  case restored
  case security
  case alert
  case volumeManagement = "volmgmt"
}

/// Which messages go to a destination: `all, !skipped`, with a file or a director in front where there is one.
package struct MessageSelection: Hashable, Sendable {
  /// The file's path, or the director's name.
  package let target: ByteString?
  package let classes: Set<MessageClass>

  package init(target: ByteString?, classes: Set<MessageClass>) {
    self.target = target
    self.classes = classes
  }

  static func read(
    _ items: [ConfigurationItem], targetTitle: String?, expectation: String
  ) -> Result<MessageSelection, ValueComplaint> {
    var items = items
    var target: ByteString?
    if let targetTitle {
      guard let first = items.first, first.pieces.count > 2, first.pieces[0].kind != .equals,
        first.pieces[1].kind == .equals, let start = first.pieces[0].text.first,
        targetTitle != "path" || start == UInt8(ascii: "/")
      else {
        return .failure(ValueComplaint(text: "expected \(expectation)"))
      }
      target = ByteString(first.pieces[0].text)
      items[0] = ConfigurationItem(pieces: Array(first.pieces.dropFirst(2)), position: first.position)
    }
    var included: Set<MessageClass> = []
    var excluded: Set<MessageClass> = []
    for item in items {
      let word = ByteString(item.pieces.map(\.text).joined())
      let isExcluded = word.bytes.first == UInt8(ascii: "!")
      let name = String(decoding: word.bytes.dropFirst(isExcluded ? 1 : 0), as: UTF8.self).lowercased()
      if name == "all" {
        if isExcluded { excluded.formUnion(MessageClass.allCases) } else { included.formUnion(MessageClass.allCases) }
      } else if let found = MessageClass(rawValue: name) {
        if isExcluded { excluded.insert(found) } else { included.insert(found) }
      } else {
        return .failure(complaint(about: word, name, at: item.position))
      }
    }
    return .success(MessageSelection(target: target, classes: included.subtracting(excluded)))
  }

  private static func complaint(about word: ByteString, _ name: String, at position: SourcePosition) -> ValueComplaint {
    let known = ["all"] + MessageClass.allCases.map(\.rawValue)
    var text = "\"\(shortened(word.bytes))\" is no class of messages: expected \(ValueKind.enumeration(known))"
    if let nearest = KeywordSuggestion.nearest(to: name, among: known) { text += "; did you mean \"\(nearest)\"?" }
    return ValueComplaint(text: text, position: position)
  }
}
