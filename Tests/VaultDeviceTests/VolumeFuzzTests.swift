import Testing
import VaultCrypto
import VaultDevice
import VaultModel
import VaultProtocol

/// Volumes are foreign bytes: whatever they hold, reading them ends, and with an answer or an error.
@Suite struct VolumeFuzzTests {
  private static func sample(volumeSize: UInt64) throws -> (MemoryVolumeStore, [Volume], [GroupLocation]) {
    let store = MemoryVolumeStore()
    let device = Fixture.device(store, volumeSize: volumeSize, blockSize: 8192)
    _ = try device.recover(known: [])
    let a = try SessionDriver(device, Fixture.sessionA)
    let b = try SessionDriver(device, Fixture.sessionB)
    for round in 0..<3 {
      for driver in [a, b] { for count in [3000, 6000, 10] { try driver.append(count) } }
      try a.commit()
      if round < 2 { try b.commit() }
      if round == 1 { try b.restart(device) }
    }
    try a.end()
    b.record.abort()
    try device.close()
    return (store, device.volumes, a.acknowledged.flatMap(\.result.groups))
  }

  private static func mutate(_ bytes: inout [UInt8], using generator: inout SplitMix) {
    for _ in 0..<Int.random(in: 1...5, using: &generator) {
      guard bytes.count > 4096 else { return }
      // Headers are where it matters.
      let block = Int.random(in: 0..<bytes.count / 4096, using: &generator) * 4096
      let offset = block + Int.random(in: 0..<(Bool.random(using: &generator) ? 300 : 4096), using: &generator)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 1: bytes[offset] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &generator) ?? 0
      case 2: bytes.removeLast(Int.random(in: 1...5000, using: &generator) % bytes.count)
      case 3: bytes += Array(bytes[block..<min(bytes.count, block + 4096)])
      case 4: bytes.removeSubrange(block..<min(bytes.count, block + 4096))
      case 5: for index in block + 16..<block + 20 { bytes[index] = UInt8.random(in: 0...255, using: &generator) }
      case 6: for index in offset..<min(bytes.count, offset + 8) { bytes[index] = 0xff }
      default: for index in block..<min(bytes.count, block + 4096) { bytes[index] = 0 }
      }
    }
  }

  /// Makes the checksums of blocks right again, so that the mutation gets past them.
  private static func mend(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { bytes in
      for offset in stride(from: 0, to: bytes.count - 80, by: 4096) {
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt32.self)))
        guard length >= 80, offset + length <= bytes.count else { continue }
        let block = UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + length])
        block.storeBytes(of: 0 as UInt64, toByteOffset: 8, as: UInt64.self)
        let checksum = XXH3.checksum64(UnsafeRawBufferPointer(block))
        block.storeBytes(of: checksum.littleEndian, toByteOffset: 8, as: UInt64.self)
      }
    }
  }

  @Test(arguments: [1 << 20, 40 << 10] as [UInt64]) func mutatedVolumesNeverTrap(_ volumeSize: UInt64) throws {
    let (store, volumes, locations) = try Self.sample(volumeSize: volumeSize)
    let pristine = try store.names().sorted().map { ($0, store.bytes(of: $0) ?? []) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 4096)
    defer { buffer.deallocate() }
    var generator = SplitMix(seed: volumeSize)
    var damagedCount = 0
    var readCount = 0
    for round in 0..<400 {
      for (name, bytes) in pristine {
        var mutated = bytes
        Self.mutate(&mutated, using: &generator)
        if round % 3 != 0 { Self.mend(&mutated) }
        store.put(name, mutated)
      }
      let device = Fixture.device(store, blockSize: 8192, identifiersFrom: 10_000)
      device.open(known: volumes)
      for location in locations.shuffled(using: &generator).prefix(3) {
        if (try? device.readGroup(location, into: buffer)) != nil { readCount += 1 }
      }
      for session in [Fixture.sessionA, Fixture.sessionB] {
        _ = try? device.replay(session: session, after: 1)
        _ = try? device.resumeState(of: session, after: 2, lastGroup: locations.randomElement(using: &generator))
      }
      let report = try device.scanAll()
      if !report.damage.isEmpty { damagedCount += 1 }
      var known = volumes
      for index in known.indices {
        known[index].end = BlockAddress(block: UInt32.random(in: 0...known[index].end.block, using: &generator))
      }
      _ = try? Fixture.device(store, blockSize: 8192).recover(known: round % 2 == 0 ? known : [])
      for name in try store.names() where !pristine.contains(where: { $0.0 == name }) { try store.remove(name) }
    }
    #expect(damagedCount > 80)
    #expect(readCount > 80)
  }

  @Test func noiseIsNoVolume() throws {
    var generator = SplitMix(seed: 99)
    for _ in 0..<100 {
      let store = MemoryVolumeStore()
      let label = GoldenVolume.volume([GoldenVolume.label])
      var bytes = Bool.random(using: &generator) ? label : []
      let count = Int.random(in: 0...9000, using: &generator)
      bytes += (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      store.put("vol-0001", bytes)
      let device = Fixture.device(store)
      #expect(try device.scanAll().sessions.isEmpty)
      #expect(try device.recover(known: []).sessions.isEmpty)
    }
  }
}
