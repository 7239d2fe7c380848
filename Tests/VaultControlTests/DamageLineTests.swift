import Testing
import VaultModel
import VaultProtocol

@Suite struct DamageLineTests {
  @Test func damageComesAsItWas() throws {
    let session = UniqueIdentifier(high: 1, low: 2)
    for line in [
      DamageLine(blocks: 3..<7, reason: "torn = 100%", group: nil, isHarmless: false),
      DamageLine(blocks: 0..<UInt32.max, reason: "", group: (session, 1 << 40), isHarmless: true),
    ] {
      #expect(try DamageLine(try ControlLine(payload: line.line.encoded())) == line)
    }
  }

  @Test(arguments: [
    "damage = from=5 to=4 reason=x harmless=no", "damage = from=-1 to=4 reason=x harmless=no",
    "damage = from=1 to=4294967296 reason=x harmless=no", "damage = from=1 to=2 harmless=no",
    "damage = from=1 to=2 reason=x harmless=no group=4", "damage = from=1 to=2 reason=x harmless=no group=x session=y",
  ])
  func whatMakesNoSenseIsRefused(_ text: String) throws {
    let line = try ControlLine(payload: Array((text + "\n").utf8))
    #expect(throws: ControlError.self) { try DamageLine(line) }
  }
}
