import Testing
import VaultCrypto
import VaultModel
import VaultProtocol

@Suite struct GroupGoldenTests {
  private static func encoded(
    _ raw: [UInt8], recordCount: UInt32, _ position: GroupEncoder.Position, number: UInt64, _ compression: Compression
  ) throws -> [UInt8] {
    let encoder = try GroupEncoder(compression)
    var output = [UInt8](repeating: 0xee, count: GroupHeader.byteCount + raw.count)
    let header = try output.withUnsafeMutableBytes { output in
      try raw.withUnsafeBytes {
        try encoder.encode($0, recordCount: recordCount, position, number: number, into: output)
      }
    }
    return Array(output[..<header.totalByteCount])
  }

  private static let attributePosition = GroupEncoder.Position(
    kind: .attributes, flags: GroupHeader.mayCommitFlag, session: Sample.sessionA, attempt: 2, firstEntry: 7,
    firstOffset: 0)
  private static let dataPosition = GroupEncoder.Position(
    kind: .data, flags: 0, session: Sample.sessionA, attempt: 2, firstEntry: 7, firstOffset: 4096)

  private static var attributeRecords: [UInt8] { Golden.directory + Golden.deletion }
  private static var dataRecords: [UInt8] {
    written { writer in
      Array(String(repeating: "abcd", count: 50).utf8).withUnsafeBytes {
        writer.contentData(index: 7, offset: 4096, $0)
      }
    }
  }

  @Test func writesGoldenBytes() throws {
    let group = try Self.encoded(
      Self.attributeRecords, recordCount: 2, Self.attributePosition, number: 9, .none)
    #expect(group == Golden.attributeGroup)
  }

  @Test func readsGoldenBytes() throws {
    try Golden.attributeGroup.withUnsafeBytes { bytes in
      let group = try GroupView(decoding: bytes)
      try group.verify()
      let header = group.header
      #expect(header.kind == .attributes)
      #expect(header.codec == .none)
      #expect(header.mayCommit)
      #expect(header.session == Sample.sessionA)
      #expect(header.attempt == 2)
      #expect(header.recordCount == 2)
      #expect(header.number == 9)
      #expect(header.firstEntry == 7)
      #expect(header.firstOffset == 0)
      #expect(header.totalByteCount == bytes.count)
      #expect(Array(group.stored) == Self.attributeRecords)
    }
  }

  /// The compressed bytes are made by hand, not by a library.
  @Test(arguments: [(Golden.compressedGroup, GroupHeader.Codec.lz4), (Golden.zstdGroup, .zstd)])
  func readsCompressedGoldenBytes(_ bytes: [UInt8], _ codec: GroupHeader.Codec) throws {
    let decoder = try GroupDecoder()
    try bytes.withUnsafeBytes { bytes in
      let group = try GroupView(decoding: bytes)
      #expect(group.header.codec == codec)
      #expect(group.header.firstOffset == 4096)
      let raw = try Array(decoder.records(of: group))
      #expect(raw == Self.dataRecords)
    }
  }

  @Test(arguments: [(Compression.lz4, GroupHeader.Codec.lz4), (.zstd(level: 1), .zstd), (.zstd(level: 19), .zstd)])
  func compressesWhatShrinksAndStoresTheRest(_ compression: Compression, _ codec: GroupHeader.Codec) throws {
    let packed = try Self.encoded(Self.dataRecords, recordCount: 1, Self.dataPosition, number: 10, compression)
    #expect(packed.count < GroupHeader.byteCount + 60)
    #expect(packed[7] == codec.rawValue)
    let decoder = try GroupDecoder()
    try packed.withUnsafeBytes { bytes in
      let raw = try Array(decoder.records(of: GroupView(decoding: bytes)))
      #expect(raw == Self.dataRecords)
    }
    var generator = SplitMix(seed: 5)
    let noise = written { writer in
      (0..<500).map { _ in UInt8.random(in: 0...255, using: &generator) }.withUnsafeBytes {
        // No run of zeros in the header either: it alone would shrink by some bytes.
        writer.contentData(index: 0x1122_3344_5566_7788, offset: 0x0102_0304_0506_0708, $0)
      }
    }
    let plain = try Self.encoded(noise, recordCount: 1, Self.dataPosition, number: 10, compression)
    #expect(plain[7] == GroupHeader.Codec.none.rawValue)
    #expect(Array(plain[GroupHeader.byteCount...]) == noise)
  }

  /// A group's raw bytes behind the room for its header: records of random bytes with words at their ends.
  private static func framed(wordEvery: Int, seed: UInt64) -> [UInt8] {
    var generator = SplitMix(seed: seed)
    var bytes = [UInt8](repeating: 0, count: GroupHeader.byteCount)
    while bytes.count < GroupHeader.byteCount + 900_000 {
      bytes += (0..<wordEvery).map { _ in UInt8.random(in: 0...255, using: &generator) }
      bytes += Array(repeating: "the same words again, ", count: 20).joined().utf8
    }
    return bytes
  }

  /// Encodes groups one after the other; which of them were compressed.
  private static func compressed(_ groups: [[UInt8]], _ compression: Compression = .lz4) throws -> [Bool] {
    let encoder = try GroupEncoder(compression)
    let decoder = try GroupDecoder()
    var trend = CompressionTrend()
    var output = [UInt8](repeating: 0xee, count: GroupLimits.storedLimit)
    return try groups.map { group in
      var group = group
      let raw = Array(group[GroupHeader.byteCount...])
      return try output.withUnsafeMutableBytes { output in
        try group.withUnsafeMutableBytes { framed in
          let (header, isInPlace) = try encoder.encode(
            framed: framed, recordCount: 1, dataPosition, &trend, into: output)
          #expect(isInPlace == (header.codec == .none))
          var numbered = header
          numbered.number = 1
          numbered.encode(into: isInPlace ? framed : output)
          let encoded = UnsafeRawBufferPointer(isInPlace ? framed : output)
          let view = try GroupView(decoding: UnsafeRawBufferPointer(rebasing: encoded[..<header.totalByteCount]))
          try view.verify()
          let records = try decoder.records(of: view).elementsEqual(raw)
          #expect(records, "the records come back")
          return !isInPlace
        }
      }
    }
  }

  /// LZ4 saves a few percent of the poor ones: that is tried once, and then a sample says so.
  @Test func passesOverWhatHardlyShrinks() throws {
    let poor = (0..<3).map { Self.framed(wordEvery: 8000, seed: UInt64($0)) }
    let good = (3..<6).map { Self.framed(wordEvery: 400, seed: UInt64($0)) }
    #expect(try Self.compressed(poor) == [true, false, false])
    #expect(try Self.compressed(poor + good) == [true, false, false, true, true, true])
    #expect(try Self.compressed(good + poor) == [true, true, true, true, false, false])
    #expect(try Self.compressed([poor[0], Array(poor[1].prefix(100_000))]) == [true, true], "a little is not sampled")
    #expect(try Self.compressed(poor, .zstd(level: 1)) == [true, true, true], "who wants it small gets it small")
    #expect(try Self.compressed(good, .none) == [false, false, false])
  }

  @Test func refusesRecordsThatNoGroupHolds() throws {
    var trend = CompressionTrend()
    var framed = [UInt8](repeating: 0, count: GroupHeader.byteCount + GroupLimits.rawLimit + 1)
    var output = [UInt8](repeating: 0, count: framed.count)
    let refused = framed.withUnsafeMutableBytes { framed in
      output.withUnsafeMutableBytes { output -> Bool in
        do throws(FormatError) {
          _ = try GroupEncoder.lz4.encode(
            framed: framed, recordCount: 1, Self.dataPosition, &trend, into: output)
          return false
        } catch { return error == FormatError(.outOfBounds, "record group to be written") }
      }
    }
    #expect(refused)
  }

  @Test func storesEverythingAsItIs() throws {
    let plain = try Self.encoded(Self.dataRecords, recordCount: 1, Self.dataPosition, number: 10, .none)
    #expect(plain[7] == GroupHeader.Codec.none.rawValue)
    #expect(Array(plain[GroupHeader.byteCount...]) == Self.dataRecords)
  }

  /// The raw length is the header's word, and what comes out has to have it.
  @Test(arguments: [Golden.compressedGroup, Golden.zstdGroup], [200, 223, 225, 983_040])
  func refusesAnotherRawLength(_ group: [UInt8], _ rawLength: UInt32) throws {
    let bytes = Self.mended(group, 64, withUnsafeBytes(of: rawLength.littleEndian) { Array($0) })
    let decoder = try GroupDecoder()
    #expect(throws: FormatError(.malformed, "record group")) {
      try bytes.withUnsafeBytes { _ = try decoder.records(of: GroupView(decoding: $0)) }
    }
  }

  /// Replaces bytes of a header and makes its checksum right again.
  private static func mended(_ group: [UInt8], _ offset: Int, _ replacement: [UInt8]) -> [UInt8] {
    var bytes = group
    bytes.replaceSubrange(offset..<offset + replacement.count, with: replacement)
    let checksum = bytes[..<120].withUnsafeBytes { XXH3.checksum64($0) }
    bytes.replaceSubrange(120..<128, with: withUnsafeBytes(of: checksum.littleEndian) { Array($0) })
    return bytes
  }

  struct Refusal: CustomTestStringConvertible, Sendable {
    let name: String
    let offset: Int
    let bytes: [UInt8]
    let kind: FormatError.Kind
    init(_ name: String, _ offset: Int, _ bytes: [UInt8], _ kind: FormatError.Kind) {
      self.name = name
      self.offset = offset
      self.bytes = bytes
      self.kind = kind
    }
    var testDescription: String { name }
  }

  static let refusals = [
    Refusal("another magic", 0, [0x57], .badMagic),
    Refusal("a newer version", 4, [1], .unsupportedVersion(1)),
    Refusal("an unknown kind", 6, [9], .unknownCritical(9)),
    Refusal("an unknown codec", 7, [3], .unknownCodec(3)),
    Refusal("a cipher", 8, [1], .unknownCodec(1)),
    Refusal("a reserved byte", 9, [1], .malformed),
    Refusal("an unknown critical flag", 14, [1], .unknownCritical(0x1_0001)),
    Refusal("no number", 40, [0], .outOfBounds),
    Refusal("a number above 2^63", 47, [0x80], .outOfBounds),
    Refusal("a first entry above 2^63", 55, [0x80], .outOfBounds),
    Refusal("more raw bytes than allowed", 64, [1, 0, 0x0f, 0], .outOfBounds),
    Refusal("more stored than raw bytes", 64, [1, 0, 0, 0], .outOfBounds),
    Refusal("a key that is not used", 72, [1], .malformed),
  ]

  /// The checksum is made right again, so that the field itself is what is refused.
  @Test(arguments: refusals) func refuses(_ sample: Refusal) {
    let bytes = Self.mended(Golden.attributeGroup, sample.offset, sample.bytes)
    #expect(throws: FormatError(sample.kind, "record group header")) {
      try bytes.withUnsafeBytes { _ = try GroupView(decoding: $0) }
    }
  }

  /// Every flipped bit is found: in the header by its checksum, behind it by the digest.
  @Test func findsEveryFlippedBit() {
    for offset in Golden.attributeGroup.indices {
      for bit in 0..<8 {
        var bytes = Golden.attributeGroup
        bytes[offset] ^= 1 << bit
        #expect(throws: FormatError.self, "byte \(offset), bit \(bit)") {
          try bytes.withUnsafeBytes { try GroupView(decoding: $0).verify() }
        }
      }
    }
  }

  @Test func refusesTruncation() {
    for count in 0..<Golden.attributeGroup.count {
      #expect(throws: FormatError.self) {
        try Golden.attributeGroup[..<count].withUnsafeBytes { _ = try GroupView(decoding: $0) }
      }
    }
  }
}
