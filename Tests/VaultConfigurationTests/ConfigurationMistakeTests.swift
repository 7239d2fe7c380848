import Testing
import VaultConfiguration
import VaultModel

@Suite struct ConfigurationMistakeTests {
  /// Each text has the one mistake beside it, told at that line and column.
  @Test(arguments: [
    ("Cliant { Name = x }", "1:1: \"Cliant\" is not a resource: expected Client or FileSet; did you mean \"Client\"?"),
    (
      "Client { Name = x\n  Adress = y\n}",
      "2:3: \"Adress\" is not a directive of Client: expected Name, Address, "
        + "Maximum Concurrent Jobs, DIRportFD, Heartbeat Interval, Maximum Bandwidth, Passive or Protocol; did you mean \"Address\"?"
    ),
    ("Name = x", "1:1: \"Name\" is not a resource: expected Client or FileSet"),
    ("Client { }", "1:1: this Client has no Name: expected a name of at most 127 bytes"),
    ("Client { Name = x; Name = y }", "1:20: Name is given twice: it stands in /etc/vault/dir.conf:1:10 already"),
    ("Client { Name = a, b }", "1:20: Name takes one value: put it in quotes if it has a comma"),
    ("Client { Name = x; Passive = maybe }", "1:30: Passive: expected yes or no, found \"maybe\""),
    ("Client { Name = x; DIRportFD = 0 }", "1:32: DIRportFD: expected a whole number from 1 to 65535, found \"0\""),
    ("Client { Name = x; Protocol = smb }", "1:31: Protocol: expected Native or NDMP, found \"smb\""),
    (
      "Client { Name = x; Heartbeat Interval = 5 m }",
      "1:41: Heartbeat Interval: expected a duration, such as 30 days or 60 minutes, found \"5 m\""
    ),
    (
      "Client { Name = x; Maximum Bandwidth = 2 PB }",
      "1:40: Maximum Bandwidth: expected a size from 1 to 1 TiB, such as 10G or 4095 MiB, found \"2 PB\""
    ),
    ("Client { Name = \"\" }", "1:17: Name: expected a name of at most 127 bytes, found \"\""),
    ("Client { Name = \"é\" ö }", "1:17: Name: expected nothing behind a string in quotes, found \"é ö\""),
    (
      "Client { Name = x Address = y }",
      "1:17: Name: a value with = must stand in quotes; is a semicolon or a line end missing before it?"
    ),
    ("Client { Name = x\n", "1:1: Client { is never closed: expected }"),
    ("Client { Name = x }\n }", "2:2: this } closes nothing"),
    ("Client { Name = x; Address = }", "1:30: expected a value for Address, found \"}\""),
    ("Client { Name = x; Address = ,y }", "1:30: expected a value for Address, found \",\""),
    ("Client { Name = x; \"Address\" = y }", "1:20: expected a keyword, found a string in quotes"),
    ("Client { Name = x; Address y\n}", "1:29: expected = or { after \"Address y\", found the end of the line"),
    ("Client { Name = x; Address { } }", "1:20: Address takes a value: expected = after it, found {"),
    ("Client { Name = x; Address = a { b = c } }", "1:32: a { cannot stand in the value of Address"),
    ("FileSet { Name = x; Include = y }", "1:21: Include is a block: expected { after it, found ="),
    (
      "FileSet { Name = x; Include { Options { }\nOptions { } } }",
      "2:1: Options is given twice: it stands in /etc/vault/dir.conf:1:31 already"
    ),
    (
      "Client { Name = x; Address = \"open\n}",
      "1:30: this string is not closed: expected \" before the end of the line"
    ),
    (
      "Client { Name = x; Address = \"\\q\" }",
      "1:31: \\q is not an escape: expected \\\\, \\\", \\n, \\t, \\r or \\x and two digits"
    ),
    ("Client { Name = x; Address = \"\\x4\" }", "1:31: expected two hexadecimal digits, not 00, after \\x"),
    (
      "Client { Name = x; Address = é\u{1}b }",
      "1:31: the control character 0x1 cannot stand here: write it as \\x in quotes"
    ),
    (
      "Client { Name = x; Address = a${NOPE} }",
      "1:31: the variable NOPE is not defined: define it, or write ${NOPE:-value}"
    ),
    ("Client { Name = x; Address = ${NOPE }", "1:30: expected a variable's name and } after ${"),
    ("Client { Name = x; Address = ${NOPE:-a\n}", "1:30: expected a variable's name and } after ${"),
    ("@missing.conf", "1:1: /etc/vault/missing.conf cannot be included: no such file"),
    ("@nowhere/*.conf", "1:1: the directory /etc/vault/nowhere/ cannot be listed: no such file"),
    ("@a b", "1:1: expected one file name after @: put it in quotes if it has spaces"),
  ])
  func tellsOneMistake(text: String, expected: String) {
    #expect(ConfigurationFixture.mistakes(text) == ["/etc/vault/dir.conf:" + expected])
  }

  @Test func tellsAllMistakesInOneRun() {
    let text = "Client {\n Passive = 2\n Nam = x\n}\nJob { x = y }\nClient { Name = \"a }\n"
    #expect(
      ConfigurationFixture.mistakes(text).map { String($0.dropFirst("/etc/vault/dir.conf:".count).prefix(4)) }
        == ["1:1:", "2:12", "3:2:", "5:1:", "6:1:", "6:17"])
  }

  @Test func namesTheIncludedFile() {
    let mistakes = ConfigurationFixture.mistakes(
      "@a.conf", files: ["/etc/vault/a.conf": "\nClient { Name = x; Foo = 1 }"])
    #expect(mistakes.count == 1)
    #expect(mistakes.first?.hasPrefix("/etc/vault/a.conf:2:20: \"Foo\" is not a directive of Client") == true)
  }

  @Test func anIncludeInABlockCannotCloseIt() {
    let mistakes = ConfigurationFixture.mistakes("Client { @a\n }", files: ["/etc/vault/a": "Name = x }"])
    #expect(mistakes == ["/etc/vault/a:1:10: this } closes nothing"])
  }

  @Test func refusesFilesThatIncludeThemselves() {
    #expect(
      ConfigurationFixture.mistakes("@a\n@a", files: ["/etc/vault/a": "# a\n @b", "/etc/vault/b": "@a"]) == [
        "/etc/vault/b:1:1: this file includes itself: /etc/vault/a → /etc/vault/b → /etc/vault/a",
        "/etc/vault/b:1:1: this file includes itself: /etc/vault/a → /etc/vault/b → /etc/vault/a",
      ])
    #expect(
      ConfigurationFixture.mistakes("@/etc/vault/dir.conf") == [
        "/etc/vault/dir.conf:1:1: this file includes itself: /etc/vault/dir.conf → /etc/vault/dir.conf"
      ])
    // A file twice, one after the other, is no circle.
    #expect(ConfigurationFixture.mistakes("@a\n@a", files: ["/etc/vault/a": "# nothing"]) == [])
  }

  @Test func boundsTheDepthOfIncludes() {
    var files: [ByteString: String] = [:]
    for number in 0..<20 { files[ByteString("/etc/vault/\(number)")] = "@\(number + 1)\n@\(number + 1)" }
    let mistakes = ConfigurationFixture.mistakes("@0", files: files)
    #expect(mistakes.contains { $0.contains("includes are nested deeper than 16: does a file include itself?") })
    #expect(mistakes.count == ConfigurationLimits.mistakes)
  }

  @Test func boundsNestingAndSize() {
    let deep = String(repeating: "FileSet {\n", count: 100_000)
    #expect(ConfigurationFixture.mistakes(deep).contains { $0.contains("blocks are nested deeper than 32") })
    let large = String(repeating: "#", count: ConfigurationLimits.bytes + 1)
    #expect(
      ConfigurationFixture.mistakes(large) == [
        "/etc/vault/dir.conf:1:1: the configuration is larger than 16777216 bytes"
      ])
    let expansion = "Client { Name = x; Address = \"" + String(repeating: "${V}", count: 20) + "\" }"
    let value = ByteString([UInt8](repeating: 0x61, count: 1 << 20))
    #expect(ConfigurationFixture.mistakes(expansion, variables: ["V": value]).count == 5)
  }

  @Test func aLongValueIsToldShort() {
    let text = "Client { Name = " + String(repeating: "n", count: 1 << 20) + " }"
    #expect(ConfigurationFixture.mistakes(text).allSatisfy { $0.utf8.count < 300 })
    #expect(ConfigurationFixture.mistakes(text).count == 1)
  }

  /// Whatever bytes come, reading ends and does not trap.
  @Test(arguments: 0..<20) func survivesAnyBytes(seed: UInt64) {
    var random = SplitMix(state: seed)
    let pieces = [
      "Client", "{", "}", "=", "\"", "\\", "${", "}", "@", "\n", ";", ",", "#", " ", "Name", "\u{0}", "é", "\\x",
      "1.5g",
    ]
    let reader = ConfigurationReader(schema: ConfigurationFixture.schema)
    for _ in 0..<200 {
      var bytes: [UInt8] = []
      for _ in 0..<random.next(below: 60) {
        if random.next(below: 8) == 0 {
          bytes.append(UInt8(truncatingIfNeeded: random.next()))
        } else {
          bytes += Array(pieces[random.next(below: pieces.count)].utf8)
        }
      }
      do throws(ConfigurationError) {
        _ = try reader.read(bytes, file: "f")
      } catch {
        if error.description.isEmpty { Issue.record("a mistake without words") }
      }
    }
  }
}
