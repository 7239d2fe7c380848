import Testing
import VaultCrypto
import VaultModel
import VaultProtocol

/// What the storage daemon makes of seed 001's single-file streams.
@Suite struct StreamWrapperTests {
  private static let time = Timestamp(nanoseconds: 1_700_000_000_000_000_001)

  /// Directory 1 is `/`, and entry 7 is `hello.txt` in it; made by a program that shares no code with this one.
  private static let entryRecords = Golden.bytes(
    """
    010001000900000001000000000000002f02000100790000000700000000000000010000000000000001010900800100
    00000000000000000000000000000000000000000000000000010000000100000000f153650000000000f15365000000
    00010000000100000000f153650000000005000000000000000000000000000000000000000000000068656c6c6f2e74
    7874
    """)

  /// Group 10 of attempt 2: the content of entry 7 is `hello`.
  private static let dataGroup = Golden.bytes(
    """
    56475250000001000000000000000000a1a2a3a4a5a647a889aaabacadaeafb002000000010000000a00000000000000
    070000000000000000000000000000001d0000001d000000000000000000000000000000000000000000000000000000
    0000000000000000e65406625772c16440967ebbe6752aaf3e7ceb1dcee4319203000100150000000700000000000000
    000000000000000068656c6c6f
    """)

  /// Group 11: content 7 is sealed, and a commit may follow.
  private static let sealGroup = Golden.bytes(
    """
    56475250000002000000000001000000a1a2a3a4a5a647a889aaabacadaeafb002000000010000000b00000000000000
    070000000000000000000000000000004000000040000000000000000000000000000000000000000000000000000000
    0000000000000000e2a11fbfb07cae047ba9282438ae511c96b99b56dc55dcde04000100380000000700000000000000
    050000000000000001000000000000002cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    """)

  /// Wraps files, `step` bytes at a time.
  private static func wrap(
    _ files: [(index: UInt64, name: ByteString, bytes: [UInt8])], step: Int = 100_000
  ) throws -> [[UInt8]] {
    let wrapper = try StreamWrapper(session: Sample.sessionA, attempt: 2, firstGroup: 9)
    var groups: [[UInt8]] = []
    for file in files {
      try wrapper.begin(index: file.index, name: file.name, at: time) { groups.append(Array($0)) }
      var rest = file.bytes[...]
      while !rest.isEmpty {
        try wrapper.makeRoom { groups.append(Array($0)) }
        let count = min(rest.count, step, wrapper.room.count)
        wrapper.room.copyBytes(from: rest.prefix(count))
        try wrapper.filled(count)
        rest = rest.dropFirst(count)
      }
    }
    try wrapper.end { groups.append(Array($0)) }
    #expect(!wrapper.isInFile)
    return groups
  }

  private static func records(_ group: [UInt8]) throws -> [UInt8] {
    try group.withUnsafeBytes { bytes in
      let decoder = try GroupDecoder()
      return Array(try decoder.records(of: GroupView(decoding: bytes)))
    }
  }

  private static func header(_ group: [UInt8]) throws -> GroupHeader {
    try group.withUnsafeBytes { try GroupHeader(decoding: $0) }
  }

  @Test(arguments: [1, 2, 5]) func aFileBecomesEntryDataAndSeal(_ step: Int) throws {
    let groups = try Self.wrap([(7, "hello.txt", Array("hello".utf8))], step: step)
    try #require(groups.count == 3)
    #expect(try Self.records(groups[0]) == Self.entryRecords)
    let header = try Self.header(groups[0])
    #expect(header.kind == .attributes && header.number == 9 && header.recordCount == 2 && !header.mayCommit)
    #expect(header.session == Sample.sessionA && header.attempt == 2 && header.firstEntry == 7)
    #expect(groups[1] == Self.dataGroup)
    #expect(groups[2] == Self.sealGroup)
  }

  @Test func anEmptyFileHasNoData() throws {
    let groups = try Self.wrap([(1, "empty", [])])
    #expect(try groups.map { try Self.header($0).kind } == [.attributes, .attributes])
    #expect(try groups.map { try Self.header($0).mayCommit } == [false, true])
  }

  @Test(arguments: [GroupLimits.contentDataLimit, GroupLimits.contentDataLimit + 1, 3_000_000])
  func aLargeFileIsCut(_ size: Int) throws {
    let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
    let groups = try Self.wrap([(3, "large", content), (4, "small", [1])])
    var found: [UInt8] = []
    var digest: Digest256?
    for group in groups.dropLast(3) {
      try Self.records(group).withUnsafeBytes { bytes in
        var reader = RecordReader(bytes)
        while let record = try reader.next() {
          switch record {
          case .contentData(let index, let offset, let piece):
            #expect(index == 3 && offset == UInt64(found.count))
            found += piece
          case .seal(3, let sealed):
            #expect(sealed.size == UInt64(size) && sealed.algorithm == .sha256)
            digest = sealed.digest
          default: break
          }
        }
      }
    }
    #expect(found == content)
    var hasher = try SHA256Hasher()
    try hasher.begin()
    try content.withUnsafeBytes { try hasher.update($0) }
    #expect(try hasher.finish() == digest)
    #expect(try groups.map { try Self.header($0).number } == (9..<(9 + UInt64(groups.count))).map { $0 })
    // Within a file that goes on, and behind every seal.
    let pieces = (size + GroupLimits.contentDataLimit - 1) / GroupLimits.contentDataLimit
    let large = [false] + Array(repeating: true, count: pieces - 1) + [false, true]
    #expect(try groups.map { try Self.header($0).mayCommit } == large + [false, false, true])
  }

  @Test(
    arguments: [
      [(2, "a"), (2, "b")], [(2, "a"), (1, "b")], [(1, "a"), (2, "a")], [(0, "a")], [(1, "..")], [(1, "a/b")],
      [(1, "")],
      [(UInt64(Int64.max) + 1, "a")],
    ] as [[(UInt64, ByteString)]])
  func otherFilesAreRefused(_ files: [(UInt64, ByteString)]) {
    #expect(throws: FormatError.self) { try Self.wrap(files.map { ($0, $1, [1]) }) }
  }
}
