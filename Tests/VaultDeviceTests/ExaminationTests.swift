import Testing
import VaultModel
import VaultProtocol
import VaultSystem

@testable import VaultDevice

/// A volume that is examined: every flipped bit and every missing byte is found, and costs what it hit.
@Suite struct ExaminationTests {
  /// Two sessions on one volume, one of them in two attempts: every kind of block, and what should be where.
  struct Sample: Sendable {
    var bytes: [UInt8]
    var volume: Volume
    var expected: [PlacedGroup]

    init() throws {
      let store = MemoryVolumeStore()
      let device = Fixture.device(store)
      _ = try device.recover(known: [])
      let first = try SessionDriver(device, Fixture.sessionA)
      try first.append(700)
      try first.append(200)
      try first.commit()
      let second = try SessionDriver(device, Fixture.sessionB)
      try second.append(300)
      try second.commit()
      try first.restart(device)
      try first.append(100)
      try first.commit()
      try first.end()
      try second.end()
      volume = try #require(device.volumes.first)
      try device.close()
      bytes = try #require(store.bytes(of: volume.name))
      expected = [first, second].flatMap { driver in
        driver.acknowledged.flatMap { commit in
          commit.result.groups.map { PlacedGroup(session: driver.session, location: $0) }
        }
      }.sorted { $0.location.block < $1.location.block }
      volume.end = BlockAddress(byteOffset: UInt64(bytes.count))
    }

    func device(_ bytes: [UInt8]? = nil) -> (Device, MemoryVolumeStore) {
      let store = MemoryVolumeStore()
      store.put(volume.name, bytes ?? self.bytes)
      let device = Fixture.device(store)
      device.open(known: [volume])
      return (device, store)
    }

    /// What the whole volume shows, or one of its blocks.
    func examine(_ device: Device, onlyBlock block: UInt32? = nil, readsData: Bool = true) throws -> [VolumeFinding] {
      let blocks = block.map { $0..<$0 + 1 } ?? 0..<volume.end.block
      return try device.examine(
        volume: volume.identifier, blocks, expecting: expected.filter { blocks.contains($0.location.block.block) },
        readsData: readsData
      ).findings
    }
  }

  @Test func aSoundVolumeIsSound() throws {
    let sample = try Sample()
    for readsData in [false, true] {
      let (device, _) = sample.device()
      let (examined, findings) = try device.examine(
        volume: sample.volume.identifier, 0..<sample.volume.end.block, expecting: sample.expected, readsData: readsData)
      #expect(findings.isEmpty)
      #expect(examined.next == sample.volume.end.block && examined.deadBlockCount == 0 && examined.isReadable)
      #expect(examined.blockCount == sample.volume.end.block, "every block of the sample is one unit long")
    }
    #expect(sample.expected.count == 4)
  }

  @Test func stretchesTellTheSameAsTheWhole() throws {
    var sample = try Sample()
    sample.bytes[2 * 4096 + 100] ^= 1
    let (device, _) = sample.device()
    let whole = try sample.examine(device)
    var pieces: [VolumeFinding] = []
    var next: UInt32 = 0
    while next < sample.volume.end.block {
      let expected = sample.expected.filter { (next..<next + 1).contains($0.location.block.block) }
      let (examined, findings) = try device.examine(
        volume: sample.volume.identifier, next..<next + 1, expecting: expected, readsData: true)
      pieces += findings
      next = examined.next
    }
    #expect(pieces == whole && whole.count == 1)
  }

  /// All bits of the volume, one after another: each is found, and never changes what a group holds; groups of other
  /// blocks can be read.
  @Test(.timeLimit(.minutes(5))) func everyFlippedBitIsFound() async throws {
    let sample = try Sample()
    let contents = try sample.expected.map { group in try sample.device().0.content(at: group.location) }
    let partCount = 2
    let failures = try await withThrowingTaskGroup(of: [String].self) { group in
      for part in 0..<partCount {
        group.addTask {
          try await onThread(name: "flips-\(part)") {
            try Self.flipEveryBit(of: sample, contents, from: part, by: partCount)
          }
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(failures.isEmpty, "\(failures.prefix(5)), \(failures.count) in all")
  }

  private static func flipEveryBit(
    of sample: Sample, _ contents: [[UInt8]], from first: Int, by step: Int
  ) throws -> [String] {
    var failures: [String] = []
    let (device, store) = sample.device()
    let file = try store.open(sample.volume.name, forAppending: true)
    for offset in stride(from: first, to: sample.bytes.count, by: step) {
      let block = UInt32(offset / 4096)
      for bit in 0..<8 {
        try put(sample.bytes[offset] ^ (1 << bit), at: offset, file)
        // A flip in one block changes nothing about the others: the whole is looked at for one bit of each byte.
        let findings = try sample.examine(device, onlyBlock: bit == offset % 8 ? nil : block)
        if !findings.contains(where: { $0.blocks.contains(block) }) {
          failures.append("byte \(offset), bit \(bit): not found")
        }
      }
      // Whichever bit it was: the block's groups come as they were or not at all, the others come.
      for (place, content) in zip(sample.expected, contents) {
        let found = try? device.content(at: place.location)
        if found != content, found != nil || place.location.block.block != block {
          failures.append("byte \(offset): group \(place.location.group) is lost or wrong")
        }
      }
      try put(sample.bytes[offset], at: offset, file)
    }
    return failures
  }

  private static func put(_ byte: UInt8, at offset: Int, _ file: any VolumeFile) throws {
    try withUnsafeBytes(of: byte) { try file.writeAll($0, at: UInt64(offset)) }
  }

  /// Every length that the file may be cut to: the cut is found, with data and without, and costs what lay behind it.
  @Test func everyTruncationIsFound() throws {
    let sample = try Sample()
    for length in 0..<sample.bytes.count {
      let (device, _) = sample.device(Array(sample.bytes[..<length]))
      for readsData in [false, true] {
        let findings = try sample.examine(device, readsData: readsData)
        #expect(!findings.isEmpty, "\(length) bytes")
        guard length >= 4096 else { continue }
        let lost = findings.filter { !$0.isHarmless }
        let untouched = UInt32(length / 4096)
        #expect(!lost.contains { $0.blocks.lowerBound < untouched }, "\(length) bytes: what is whole is not lost")
      }
    }
  }

  @Test func aScanFindsWhatTheDamageLeft() throws {
    let sample = try Sample()
    // Byte 90 of each block is content or the record's header: the block is lost, the others are found.
    for block in 0..<Int(sample.volume.end.block) {
      var bytes = sample.bytes
      bytes[block * 4096 + 90] ^= 4
      let (device, _) = sample.device(bytes)
      let report = try device.scanAll()
      #expect(report.volumes.map(\.identifier) == [sample.volume.identifier])
      let found = report.sessions.flatMap { session in
        session.commits.flatMap { $0.groups.map { PlacedGroup(session: session.session, location: $0) } }
      }
      let left = sample.expected.filter { $0.location.block.block != UInt32(block) }
      for group in left { #expect(found.contains(group), "block \(block): group \(group.location.group) is lost") }
      #expect(found.count == left.count)
    }
  }

  @Test func anotherVolumeIsNotRead() throws {
    let sample = try Sample()
    let (device, _) = sample.device()
    let other = Volume(
      identifier: UniqueIdentifier(high: 1, low: 2), name: sample.volume.name, status: .full, end: sample.volume.end,
      labeled: sample.volume.labeled)
    device.open(known: [other])
    let (examined, findings) = try device.examine(
      volume: other.identifier, 0..<other.end.block, expecting: [], readsData: true)
    #expect(!examined.isReadable && findings.count == 1)
    #expect(findings[0].blocks == 0..<other.end.block)
  }

  @Test func aGroupThatIsElsewhereIsMissing() throws {
    var sample = try Sample()
    sample.expected[1].location.group += 40
    sample.expected[2].location.storedLength += 1
    sample.expected[3].location.block.block += 1
    let (device, _) = sample.device()
    for readsData in [false, true] {
      let findings = try sample.examine(device, readsData: readsData)
      #expect(findings.filter { $0.reason == .missingGroup }.count == 3)
    }
  }
}
