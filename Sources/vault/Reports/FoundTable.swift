import Console
import Synchronization
import VaultModel

/// What a search finds, written while it comes.
final class FoundTable: Sendable {
  private let output: StandardOutput
  private let array: StreamedArray?
  private let count = Mutex<UInt64>(0)

  init(output: StandardOutput, isJSON: Bool) {
    self.output = output
    array = isJSON ? StreamedArray(output: output) : nil
  }

  var isEmpty: Bool { count.withLock { $0 } == 0 }

  func add(_ found: FoundListing) {
    count.withLock { $0 += 1 }
    if let array {
      array.add { $0.found(found) }
    } else {
      let last = found.isCurrent ? "now" : "job \(found.last.job)"
      let versions = found.versionCount == 1 ? "" : ", \(Figures.count(found.versionCount)) versions"
      let size = found.type == .regular ? Figures.bytes(found.size) : found.type.title
      output.write("\(found.path.displayText)  (\(size), job \(found.first.job) to \(last)\(versions))\n")
    }
  }

  func end() { array?.end() }
}

extension JSONWriter {
  fileprivate mutating func found(_ found: FoundListing) {
    field("path", found.path)
    key("tree")
    object { writer in
      writer.field("host", found.tree.host)
      writer.field("name", found.tree.name)
    }
    field("type", found.type.title)
    field("size", found.size)
    field("versions", found.versionCount)
    point("first", found.first)
    point("last", found.last)
    field("current", found.isCurrent)
  }
}
