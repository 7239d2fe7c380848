import Testing
import VaultProtocol

/// The tables of vault-protocol(7) are the code's.
@Suite struct ProtocolPageTests {
  /// The rows of the table behind a heading, cell by cell.
  private static func rows(behind heading: String) throws -> [[String]] {
    let lines = try page().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let start = try #require(lines.firstIndex(of: heading), "the page lacks \(heading)")
    let end = try #require(lines[start...].firstIndex(of: ".El"))
    return lines[start..<end].filter { $0.hasPrefix(".It ") && !$0.hasPrefix(".It Sy ") }.map { row in
      row.dropFirst(4).split(separator: " Ta ").map { $0.trimmingSpaces() }
    }
  }

  private static func page() throws -> String {
    try #require(SourceScan.text(of: "man/vault-protocol.7"), "man/vault-protocol.7 is missing")
  }

  @Test func theRegistryOfStatusCodes() throws {
    let rows = try Self.rows(behind: ".Ss Status codes")
    #expect(rows.map { $0[0] } == StatusCode.registry.map { String($0.code.rawValue) })
    #expect(rows.map { $0[1] } == StatusCode.registry.map(\.code.meaning))
  }

  @Test func whatToDoAboutStatusCodes() throws {
    let lines = try Self.page().split(separator: "\n").map(String.init)
    let start = try #require(lines.firstIndex(of: ".Ss What to do about a status code"))
    let first = try #require(lines[start...].firstIndex { $0.hasPrefix(".It ") })
    let end = try #require(lines[start...].firstIndex(of: ".El"))
    var items: [[String]] = []
    for line in lines[first..<end] {
      if line.hasPrefix(".It ") { items.append([]) }
      items[items.count - 1].append(line)
    }
    let expected = StatusCode.registry.map { code, entry in
      let senders = entry.senders.map { "the " + $0.rawValue }.joined(separator: " or ")
      let requests = entry.requests.joined(separator: ", ")
      return ".It \(code.rawValue) Sent by \(senders) in answer to \(requests). \(entry.remedy)"
    }
    #expect(items.map { $0.joined(separator: " ") } == expected)
  }

  @Test func theKindsOfFrames() throws {
    let rows = try Self.rows(behind: ".Ss Kinds of frames")
    let kinds = FrameKind.allCases.sorted { $0.rawValue < $1.rawValue }
    #expect(rows.map { $0[0] } == kinds.map { String($0.rawValue) })
    #expect(rows.map { $0[1] } == kinds.map { Self.words("\($0)") })
    #expect(rows.allSatisfy { $0.count == 4 && !$0[3].isEmpty })
  }

  /// `endOfData` as "end of data".
  private static func words(_ name: String) -> String {
    name.map { $0.isUppercase ? " " + $0.lowercased() : String($0) }.joined()
  }
}

extension Substring {
  fileprivate func trimmingSpaces() -> String {
    var rest = self
    while rest.first == " " { rest.removeFirst() }
    while rest.last == " " { rest.removeLast() }
    return String(rest)
  }
}
