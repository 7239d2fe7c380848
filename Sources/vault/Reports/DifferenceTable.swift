import Console
import VaultModel

/// What changed between two jobs, written while it comes.
struct DifferenceTable: Sendable {
  private let output: StandardOutput
  private let array: StreamedArray?

  init(output: StandardOutput, isJSON: Bool) {
    self.output = output
    array = isJSON ? StreamedArray(output: output) : nil
  }

  func add(_ change: DifferenceListing) {
    if let array {
      array.add { $0.change(change) }
    } else {
      let mark = change.type == .directory ? "/" : ""
      let what = change.what.isEmpty ? "" : "  (" + change.what.joined(separator: ", ") + ")"
      output.write("\(change.kind.rawValue)  \(change.path.displayText)\(mark)\(what)\n")
    }
  }

  func end() { array?.end() }
}

extension JSONWriter {
  fileprivate mutating func change(_ change: DifferenceListing) {
    field("path", change.path)
    field("type", change.type.title)
    switch change.kind {
    case .added: field("change", "added")
    case .removed: field("change", "removed")
    case .modified: field("change", "modified")
    }
    key("what")
    array { writer in for word in change.what { writer.element(word) } }
    if let oldSize = change.oldSize { field("oldSize", oldSize) }
    if let newSize = change.newSize { field("newSize", newSize) }
  }
}
