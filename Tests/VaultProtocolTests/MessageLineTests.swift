import Testing
import VaultModel
import VaultProtocol

@Suite struct MessageLineTests {
  private static let message = MessageLine(
    time: Timestamp(nanoseconds: 1_700_000_000_000_000_001), messageClass: "error", isOfJob: true,
    text: "No space left.")

  @Test func isALineAndBack() throws {
    let bytes = Array("message = time=1700000000000000001 class=error about=job text=No%20space%20left.\n".utf8)
    #expect(Self.message.line.encoded() == bytes)
    #expect(try MessageLine(try ControlLine(payload: bytes)) == Self.message)
  }

  @Test func aLongTextIsCut() throws {
    var long = Self.message
    long.text = String(repeating: "x", count: 3 * MessageLine.textLimit)
    #expect(try long.line.text("text").utf8.count == MessageLine.textLimit)
    var line = Self.message.line
    line.fields.removeLast()
    line.set("text", long.text)
    #expect(try MessageLine(line).text.utf8.count == MessageLine.textLimit)
  }

  @Test(arguments: [
    "progress = time=1 class=info about=job text=x", "message = time=x class=info about=job text=x",
    "message = time=1 about=job text=x", "message = time=1 class=info text=x", "message = time=1 class=info about=job",
  ])
  func refusesWhatIsNone(text: String) throws {
    let line = try ControlLine(payload: Array((text + "\n").utf8))
    #expect(throws: ControlError.self) { try MessageLine(line) }
  }
}
