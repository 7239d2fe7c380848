import VaultModel
import VaultProtocol

/// What a verification found.
package struct VerifyReport: Sendable {
  /// A version of a file that cannot be restored.
  package struct LostEntry: Sendable, Hashable {
    package var path: ByteString
    package var tree: Tree
    package var size: UInt64
    /// The jobs that show this version: from one, to one; nil when the latest state shows it, too.
    package var firstJob: JobNumber?
    package var lastJob: JobNumber?

    package init(path: ByteString, tree: Tree, size: UInt64, firstJob: JobNumber?, lastJob: JobNumber?) {
      self.path = path
      self.tree = tree
      self.size = size
      self.firstJob = firstJob
      self.lastJob = lastJob
    }
  }

  /// One thing that is wrong, and what it costs.
  package struct Damage: Sendable, Hashable {
    /// Nil when it is on no volume that is known.
    package var volume: String?
    /// In units of 4096 bytes: from one to before another.
    package var blocks: Range<UInt32>
    package var reason: String
    package var dataGroups: UInt64
    package var attributeGroups: UInt64
    /// Versions of files that a restore would lose, and their bytes.
    package var lostCount: UInt64 = 0
    package var lostBytes: UInt64 = 0
    /// How many of them the latest state of their tree shows.
    package var lostNowCount: UInt64 = 0
    /// The first of them; `lostCount` counts all.
    package var lost: [LostEntry] = []

    package init(
      volume: String?, blocks: Range<UInt32>, reason: String, dataGroups: UInt64 = 0, attributeGroups: UInt64 = 0
    ) {
      self.volume = volume
      self.blocks = blocks
      self.reason = reason
      self.dataGroups = dataGroups
      self.attributeGroups = attributeGroups
    }
  }

  /// Lost entries that are kept in all; the rest is counted.
  static let lostEntryLimit = 100_000

  package var damages: [Damage] = []
  package var notes: [String] = []
  package var jobs: UInt64 = 0
  package var volumes: UInt64 = 0
  package var blocks: UInt64 = 0
  package var bytes: UInt64 = 0
  package var contents: UInt64 = 0
  /// Bytes of content whose digests were compared; 0 when no data was read.
  package var contentBytes: UInt64 = 0

  package init() {}

  package var foundDamage: Bool { !damages.isEmpty }
}

extension VerifyReport {
  /// Takes one line of the director's.
  mutating func take(_ line: ControlLine, _ keptCount: inout Int) throws {
    switch line.verb {
    case "note": notes.append(try line.text("text"))
    case "damage":
      var blocks: Range<UInt32> = 0..<0
      let volume = line["volume"]?.text
      if volume != nil {
        let (from, to): (UInt32, UInt32) = (try line.integer("from"), try line.integer("to"))
        guard from <= to else { throw ControlError(.malformedField("to"), line: line.verb) }
        blocks = from..<to
      }
      damages.append(
        Damage(
          volume: volume, blocks: blocks, reason: try line.text("reason"), dataGroups: try line.integer("data-groups"),
          attributeGroups: try line.integer("attribute-groups")))
    case "lost":
      let number: Int = try line.integer("damage")
      guard damages.indices.contains(number) else { throw ControlError(.malformedField("damage"), line: line.verb) }
      let entry = LostEntry(
        path: line["path"] ?? "", tree: Tree(host: try line.text("host"), name: line["name"] ?? ""),
        size: try line.integer("size"), firstJob: line["first-job"] == nil ? nil : try line.integer("first-job"),
        lastJob: line["last-job"] == nil ? nil : try line.integer("last-job"))
      damages[number].lostCount += 1
      damages[number].lostBytes &+= entry.size
      if entry.lastJob == nil { damages[number].lostNowCount += 1 }
      if keptCount < Self.lostEntryLimit { damages[number].lost.append(entry) }
      keptCount += 1
    default: return
    }
  }
}
