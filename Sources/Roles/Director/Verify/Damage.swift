import VaultModel
import VaultProtocol

/// One thing that is wrong, and the contents that it costs.
struct Damage: Sendable {
  /// The volume's name; empty when the damage is on no volume that is known.
  var volume: String
  var blocks: Range<UInt32>
  var reason: String
  /// Groups of content and of attributes that cannot be read.
  var dataGroupCount: UInt64 = 0
  var attributeGroupCount: UInt64 = 0
  var contents: [Contents] = []

  struct Contents: Sendable {
    var session: UniqueIdentifier
    var indexes: ClosedRange<UInt64>
  }

  /// Adds contents, which come in the order of their groups.
  mutating func add(_ session: UniqueIdentifier, _ indexes: ClosedRange<UInt64>) {
    if let last = contents.last, last.session == session, indexes.lowerBound >= last.indexes.lowerBound,
      indexes.lowerBound <= last.indexes.upperBound || indexes.lowerBound == last.indexes.upperBound + 1
    {
      let upper = max(last.indexes.upperBound, indexes.upperBound)
      contents[contents.count - 1].indexes = last.indexes.lowerBound...upper
    } else {
      contents.append(Contents(session: session, indexes: indexes))
    }
  }
}

/// All damage that a verification met.
struct DamageList: Sendable {
  private(set) var all: [Damage] = []

  /// Adds damage; what goes on where the last one ended, for the same reason, is one with it.
  mutating func add(_ damage: Damage) {
    guard let last = all.last, last.volume == damage.volume, last.reason == damage.reason,
      last.blocks.upperBound == damage.blocks.lowerBound || last.blocks == damage.blocks
    else {
      all.append(damage)
      return
    }
    let index = all.count - 1
    all[index].blocks = last.blocks.lowerBound..<damage.blocks.upperBound
    all[index].dataGroupCount += damage.dataGroupCount
    all[index].attributeGroupCount += damage.attributeGroupCount
    for contents in damage.contents { all[index].add(contents.session, contents.indexes) }
  }

  /// Whether some damage costs the content already.
  func covers(_ content: ContentIdentifier) -> Bool {
    all.contains { damage in
      damage.contents.contains { $0.session == content.session && $0.indexes.contains(content.index) }
    }
  }
}

extension Damage {
  /// The line that tells a console of it.
  func line(number: Int) -> ControlLine {
    var line = ControlLine("damage")
    line.set("number", number)
    if !volume.isEmpty {
      line.set("volume", volume)
      line.set("from", blocks.lowerBound)
      line.set("to", blocks.upperBound)
    }
    line.set("reason", reason)
    line.set("data-groups", dataGroupCount)
    line.set("attribute-groups", attributeGroupCount)
    return line
  }
}
