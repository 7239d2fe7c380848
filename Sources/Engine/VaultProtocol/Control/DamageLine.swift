import VaultModel

/// What a storage daemon tells the director of one thing that is wrong with a volume.
package struct DamageLine: Hashable, Sendable {
  /// The blocks concerned: from one address to before another, in file 0.
  package var blocks: Range<UInt32>
  package var reason: String
  /// The only group concerned; nil for all groups in the blocks.
  package var group: (session: UniqueIdentifier, number: UInt64)?
  /// Whether groups in the blocks can be read nevertheless.
  package var isHarmless: Bool

  package init(
    blocks: Range<UInt32>, reason: String, group: (session: UniqueIdentifier, number: UInt64)?, isHarmless: Bool
  ) {
    self.blocks = blocks
    self.reason = reason
    self.group = group
    self.isHarmless = isHarmless
  }

  package static func == (left: DamageLine, right: DamageLine) -> Bool {
    left.blocks == right.blocks && left.reason == right.reason && left.isHarmless == right.isHarmless
      && left.group?.session == right.group?.session && left.group?.number == right.group?.number
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(blocks) }

  package var line: ControlLine {
    var line = ControlLine("damage")
    line.set("from", blocks.lowerBound)
    line.set("to", blocks.upperBound)
    line.set("reason", reason)
    line.set("harmless", isHarmless ? "yes" : "no")
    if let group {
      line.set("session", group.session.text)
      line.set("group", group.number)
    }
    return line
  }

  package init(_ line: ControlLine) throws(ControlError) {
    let (from, to): (UInt32, UInt32) = (try line.integer("from"), try line.integer("to"))
    guard from <= to else { throw ControlError(.malformedField("to"), line: line.verb) }
    blocks = from..<to
    reason = try line.text("reason")
    isHarmless = try line.text("harmless") == "yes"
    if line["group"] != nil {
      group = (try line.identifier("session"), try line.integer("group"))
    }
  }
}
