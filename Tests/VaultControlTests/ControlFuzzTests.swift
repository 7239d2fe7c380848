import Testing
import VaultModel
import VaultProtocol

/// A small seeded generator: the same seed gives the same bytes everywhere.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}

/// Bytes from a peer never trap: what is read is written so that it reads the same, everything else is refused.
@Suite struct ControlFuzzTests {
  private static func mutate(_ bytes: inout [UInt8], with corpus: [[UInt8]], using generator: inout SplitMix) {
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      let index = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<6, using: &generator) {
      case 0 where !bytes.isEmpty: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 1 where !bytes.isEmpty:
        bytes[index] = [0, 0x20, 0x25, 0x3d, 0x7f, 0x80, 0xff].randomElement(using: &generator) ?? 0
      case 2: bytes.removeLast(min(bytes.count, Int.random(in: 0..<8, using: &generator)))
      case 3: bytes.insert(contentsOf: (0..<3).map { _ in UInt8.random(in: 0x20...0x7e, using: &generator) }, at: index)
      case 4 where bytes.count >= index + 4:
        bytes.replaceSubrange(index..<index + 4, with: repeatElement(0xff, count: 4))
      default: bytes += corpus.randomElement(using: &generator) ?? []
      }
    }
  }

  /// Feeds mutations to a parser that gives back what it understood, as bytes.
  private static func fuzz(_ corpus: [[UInt8]], seed: UInt64, _ parse: (UnsafeRawBufferPointer) throws -> [UInt8])
    throws
  {
    var generator = SplitMix(seed: seed)
    var (readCount, refusedCount) = (0, 0)
    for _ in 0..<4_000 {
      var bytes = corpus.randomElement(using: &generator) ?? []
      mutate(&bytes, with: corpus, using: &generator)
      guard let again = try? bytes.withUnsafeBytes(parse) else {
        refusedCount += 1
        continue
      }
      readCount += 1
      #expect(try again.withUnsafeBytes(parse) == again, "seed \(seed): \(bytes)")
    }
    #expect(readCount > 50 && refusedCount > 50, "mutations that are all read or all refused test nothing")
  }

  @Test func lines() throws {
    try Self.fuzz(ControlLineTests.cases.map { Array($0.text.utf8) }, seed: 1) { bytes in
      let line = try ControlLine(decoding: bytes)
      // The readers of fields never trap either.
      _ = try? line.integer(line.fields.first?.key ?? "", as: UInt32.self)
      _ = try? line.identifier(line.fields.first?.key ?? "")
      _ = (try? Reply(line)).map { PeerRefusal($0) }
      _ = try? JobCounters(line)
      return Array(line.encoded().dropLast())
    }
  }

  @Test func frameHeaders() throws {
    let corpus = FrameKind.allCases.map { [0, 1, 0, 0, $0.rawValue] as [UInt8] }
    try Self.fuzz(corpus, seed: 2) { bytes in
      let header = try FrameHeader(decoding: bytes)
      #expect(header.payloadLength <= FrameHeader.payloadLimit)
      var again = [UInt8](repeating: 0, count: FrameHeader.byteCount)
      again.withUnsafeMutableBytes { header.encode(into: $0) }
      return again
    }
  }

  @Test func commits() throws {
    try Self.fuzz([Golden.commit], seed: 3) { try CommitFrame(decoding: $0).encoded() }
  }

  @Test func volumes() throws {
    try Self.fuzz([Golden.volumes], seed: 4) { VolumeList.encode(try VolumeList.decode($0)) }
  }

  @Test func locations() throws {
    try Self.fuzz([Golden.locations], seed: 5) { bytes in
      var writer = ByteWriter()
      for location in try LocationCodec.locations(bytes) { LocationCodec.write(location, to: &writer) }
      return writer.array
    }
  }

  @Test func questions() throws {
    try Self.fuzz([Golden.question, Golden.question + Golden.question], seed: 6) { bytes in
      var reader = ByteReader(bytes, "questions")
      var writer = ByteWriter()
      while !reader.isAtEnd {
        let question = try LocationCodec.question(from: &reader)
        LocationCodec.writeQuestion(
          device: question.device, inode: question.inode, size: question.size, modified: question.modified, to: &writer)
      }
      return writer.array
    }
  }

  @Test func answers() throws {
    try Self.fuzz([Golden.answer, [0] + Golden.answer], seed: 7) { bytes in
      var reader = ByteReader(bytes, "answers")
      var writer = ByteWriter()
      while !reader.isAtEnd { LocationCodec.writeAnswer(try LocationCodec.answer(from: &reader), to: &writer) }
      return writer.array
    }
  }

  @Test func paths() throws {
    try Self.fuzz([Golden.paths], seed: 8) { PathList.encode(try PathList.decode($0)) }
  }
}
