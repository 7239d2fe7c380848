import Testing
import VaultProtocol

/// The registry lists what the program sends, and nothing else.
@Suite struct StatusCodeRegistryTests {
  private static let sources = SourceScan.files.filter { !$0.path.contains("/Control/StatusCode") }

  /// The names of codes that the sources make replies of: where a reply is made, and where an error chooses its code.
  private static let sent: Set<String> = {
    var names: Set<String> = []
    for (_, text) in sources where text.contains("Reply(") || text.contains("StatusCode {") {
      names.formUnion(text.matches(of: /Reply\(\s*\.(\w+)/).map { String($0.1) })
      for start in text.matches(of: /StatusCode \{\n/) {
        let body = text[start.range.upperBound...].prefix(upTo: bodyEnd(text, start.range.upperBound))
        names.formUnion(body.matches(of: /: \.(\w+)/).map { String($0.1) })
      }
    }
    return names
  }()

  /// Where the braces that are open at an index are closed.
  private static func bodyEnd(_ text: String, _ start: String.Index) -> String.Index {
    var depth = 1
    for index in text[start...].indices {
      if text[index] == "{" { depth += 1 } else if text[index] == "}" { depth -= 1 }
      if depth == 0 { return index }
    }
    return text.endIndex
  }

  @Test func theSourcesAreFound() {
    #expect(Self.sources.count > 300)
    #expect(Self.sent.isSuperset(of: ["directorOK", "volumeBusy", "sessionAborted"]))
  }

  @Test(arguments: StatusCode.allCases)
  func aCodeIsListedIfItIsSent(_ code: StatusCode) {
    #expect(Self.sent.contains("\(code)"), "\(code)")
  }

  /// Replies are made of `StatusCode` alone: no text that begins with a code and goes on stands anywhere.
  @Test func noCodeIsSpeltOut() {
    for (path, text) in Self.sources {
      for part in text.utf8.split(separator: UInt8(ascii: "\"")) {
        let start = part.prefix(5)
        let isCode =
          start.count == 5 && start.last == 0x20 && start.dropLast().allSatisfy { (0x30...0x39).contains($0) }
        #expect(!isCode, "\(path): \(String(Substring(part.prefix(40))))")
      }
    }
  }

  @Test func entriesAreForPeople() {
    let numbers = StatusCode.registry.map(\.code.rawValue)
    #expect(numbers == numbers.sorted())
    for (code, entry) in StatusCode.registry {
      #expect(!entry.senders.isEmpty && !entry.requests.isEmpty, "\(code)")
      #expect(Set(entry.senders).count == entry.senders.count && Set(entry.requests).count == entry.requests.count)
      #expect(entry.remedy.hasSuffix("."), "\(code): what to do is no sentence")
    }
  }

  /// Every request that an entry names by its verb is one that some daemon answers.
  @Test func requestsExist() {
    let texts = Self.sources.filter { $0.path.contains("Conversation") || $0.path.contains("Daemon") }.map(\.text)
    let requests = Set(StatusCode.registry.flatMap(\.entry.requests)).filter { !$0.hasPrefix("every request") }
    for request in requests where request != "Hello" {
      #expect(texts.contains { $0.contains("\"\(request)\"") }, "\(request)")
    }
  }
}
