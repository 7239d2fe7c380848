import Testing
import VaultModel
import VaultProtocol

/// A line as a value and as text.
struct LineCase: Sendable, CustomTestStringConvertible {
  let text: String
  let line: ControlLine
  var testDescription: String { text }

  init(_ text: String, _ verb: String, _ words: [ByteString] = [], _ fields: [(String, ByteString)] = []) {
    self.text = text
    line = ControlLine(verb, words: words, fields: fields.map { .init(key: $0.0, value: $0.1) })
  }
}

func decode(_ text: String) throws -> ControlLine {
  try Array(text.utf8).withUnsafeBytes { try ControlLine(decoding: $0) }
}

/// Every form that a control line has, in both directions.
@Suite struct ControlLineTests {
  static let session: ByteString = "a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0"

  static let cases = [
    // Console to director.
    LineCase("recover", "recover"),
    LineCase(
      "run = host=web1 name=/etc%0A/home level=auto commit-seconds=30 commit-bytes=1073741824", "run", [],
      [
        ("host", "web1"), ("name", "/etc\n/home"), ("level", "auto"), ("commit-seconds", "30"),
        ("commit-bytes", "1073741824"),
      ]),
    LineCase("list jobs", "list jobs"),
    LineCase(
      "list files = name=work job=3 path=/a%20b", "list files", [], [("name", "work"), ("job", "3"), ("path", "/a b")]),
    LineCase("list problems = job=3", "list problems", [], [("job", "3")]),
    LineCase(
      "restore = at=-5 target=/tmp/r overwrite=newer", "restore", [],
      [("at", "-5"), ("target", "/tmp/r"), ("overwrite", "newer")]),
    LineCase("cancel", "cancel"),
    // Director to storage daemon.
    LineCase(
      "job = a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0 number=7 attempt=2 last-commit=4 last-group=%05%00%FF", "job",
      [session],
      [("number", "7"), ("attempt", "2"), ("last-commit", "4"), ("last-group", ByteString([5, 0, 255]))]),
    LineCase("attribute data = a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0", "attribute data", [session]),
    LineCase("end job = a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0", "end job", [session]),
    LineCase("read job = a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0", "read job", [session]),
    // Director to file daemon.
    LineCase(
      "backup = a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0 number=7 attempt=1 compare=no", "backup", [session],
      [("number", "7"), ("attempt", "1"), ("compare", "no")]),
    // File daemon to storage daemon: seed 001.
    LineCase("append open session = a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0", "append open session", [session]),
    LineCase("append data = 1", "append data", ["1"]),
    LineCase("append end session = 1", "append end session", ["1"]),
    LineCase("append close session = 1", "append close session", ["1"]),
    LineCase("append abort session = 1", "append abort session", ["1"]),
    LineCase("read data = 1 > 0.259", "read data", ["1", ">", "0.259"]),
    LineCase("read close session = 1", "read close session", ["1"]),
    LineCase("Query notification", "Query notification"),
    LineCase("noop", "noop"),
    // Replies.
    LineCase("3000 OK = ticket=1", "3000 OK", [], [("ticket", "1")]),
    LineCase("3000 OK data = address=0.0.0.0 port=0", "3000 OK data", [], [("address", "0.0.0.0"), ("port", "0")]),
    LineCase("Length = 1048496", "Length", ["1048496"]),
    LineCase(
      "3505 Failed = status=3 reason=The%20disk%20is%20full.", "3505 Failed", [],
      [("status", "3"), ("reason", "The disk is full.")]),
    // What the encoding has to keep apart.
    LineCase("x = %3D a%3Db k=a=b", "x", ["=", "a=b"], [("k", "a=b")]),
    LineCase("x = %25 %22 %7F %80 %00 ! ~", "x", ["%", "\"", "\u{7f}", ByteString([0x80]), ByteString([0]), "!", "~"]),
    LineCase("x = k=", "x", [], [("k", "")]),
    LineCase("x = k=1 k=2", "x", [], [("k", "1"), ("k", "2")]),
    LineCase("", ""),
  ]

  @Test(arguments: cases) func aLineIsItsText(_ example: LineCase) throws {
    #expect(String(decoding: example.line.encoded(), as: UTF8.self) == example.text + "\n")
    #expect(try decode(example.text) == example.line)
  }

  @Test(arguments: [
    ("noop\r", "noop"), ("  read   data  =  1   >  0.2 ", "read data = 1 > 0.2"), ("x = %c3%A9", "x = %C3%A9"),
    ("x = k=1 word", "x = word k=1"), ("x =", "x"), ("x = a = b", "x = a %3D b"), ("x = =a", "x = %3Da"),
    ("x = %61%62", "x = ab"), ("x = k=%3d", "x = k=="),
  ])
  func otherSpellingsAreRead(_ text: String, _ canonical: String) throws {
    #expect(String(decoding: try decode(text).encoded(), as: UTF8.self) == canonical + "\n")
  }

  @Test(arguments: ["x\u{1}", "x\ty", "é", "x = %", "x = %4", "x = %4g", "x = k=%", "x\ry", "x = %%41"])
  func whatIsNoLineIsRefused(_ text: String) {
    #expect(throws: ControlError.self) { try decode(text) }
  }

  @Test func theLongestLineIsSixtyFourKibibytes() throws {
    let word = String(repeating: "a", count: ControlLine.byteLimit - 5)
    #expect(try decode("x = " + word).encoded().count == ControlLine.byteLimit)
    #expect(throws: ControlError.self) { try decode("x = a" + word) }
  }

  @Test func fieldsAreReadByName() throws {
    let line = try decode("x = a%20b n=7 minus=-7 id=a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0 raw=%FF t=z t=y")
    #expect(try line.word(0) == "a b")
    #expect(try line.integer("n", as: UInt32.self) == 7)
    #expect(try line.integer("minus", as: Int64.self) == -7)
    #expect(try line.identifier("id") == Golden.session)
    #expect(line["raw"] == ByteString([0xff]))
    #expect(line["t"] == "z" && line.all("t") == ["z", "y"] && line["none"] == nil)
  }

  @Test func whatIsMissingOrOfAnotherFormIsNamed() throws {
    let line = try decode("x = n=seven minus=-7 big=256 id=a1a2 raw=%FF empty=")
    #expect(throws: ControlError(.missingField("word 1"), line: "x")) { try line.word(0) }
    #expect(throws: ControlError(.missingField("gone"), line: "x")) { try line.text("gone") }
    #expect(throws: ControlError(.missingField("raw"), line: "x")) { try line.text("raw") }
    #expect(throws: ControlError(.malformedField("n"), line: "x")) { try line.integer("n", as: UInt64.self) }
    #expect(throws: ControlError(.malformedField("minus"), line: "x")) { try line.integer("minus", as: UInt64.self) }
    #expect(throws: ControlError(.malformedField("big"), line: "x")) { try line.integer("big", as: UInt8.self) }
    #expect(throws: ControlError(.malformedField("empty"), line: "x")) { try line.integer("empty", as: Int.self) }
    #expect(throws: ControlError(.malformedField("id"), line: "x")) { try line.identifier("id") }
  }
}
