import Testing
import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSystem

@testable import FileDaemon

/// How lists of extended attributes are shared when they are saved, and come back when they are restored.
@Suite struct AttributeTests {
  private static func digest(of list: [UInt8]) throws -> Digest256 {
    var hasher = try SHA256Hasher()
    try hasher.begin()
    try list.withUnsafeBytes { try hasher.update($0) }
    return try hasher.finish()
  }

  private static func reference(_ index: UInt64, _ list: [UInt8]) throws -> ExtendedReference {
    ExtendedReference(
      carrier: ContentIdentifier(session: session, index: index), byteCount: UInt32(list.count),
      digest: try digest(of: list))
  }

  // MARK: Saving

  @Test func anEntryRefersOnlyToOneBeforeIt() throws {
    let lists = CarriedLists()
    let same = try Self.digest(of: [1])
    // Units are worked on in any order: entry 50 comes first here, but not on the volume.
    #expect(lists.carrier(of: same, for: 50) == 50)
    #expect(lists.carrier(of: same, for: 60) == 50)
    #expect(lists.carrier(of: same, for: 40) == 40)
    #expect(lists.carrier(of: same, for: 45) == 40)
    #expect(lists.carrier(of: same, for: 60) == 40)
    #expect(lists.carrier(of: try Self.digest(of: [2]), for: 61) == 61)
  }

  @Test func eachOwnerIsNamedOnce() {
    var names = OwnerNames()
    var attributes = regular(1)
    let first = names.new(in: attributes)
    #expect(first.map(\.kind) == [.user, .group])
    #expect(first.map(\.name) == ["root", "root"])
    #expect(names.new(in: attributes).isEmpty)
    attributes.group = 4_000_000_001
    let second = names.new(in: attributes)
    #expect(second.map(\.number) == [4_000_000_001] && second.map(\.name) == [""])
    attributes.group = 0
    #expect(names.new(in: attributes).isEmpty)
  }

  // MARK: Restoring

  @Test func aNameThatIsKnownHereWins() {
    var owners = OwnerNumbers(isNumeric: false)
    var attributes = regular(1)
    attributes.owner = 1234
    attributes.group = 1234
    func resolved() -> [UInt32] {
      var copy = attributes
      owners.resolve(&copy)
      return [copy.owner, copy.group]
    }
    #expect(resolved() == [1234, 1234])
    owners.learn(.user, 1234, "root")
    #expect(resolved() == [0, 1234])
    owners.learn(.group, 1234, "no such group here")
    #expect(resolved() == [0, 1234])
    owners.learn(.user, 1234, "")
    #expect(resolved() == [1234, 1234])
    owners = OwnerNumbers(isNumeric: true)
    owners.learn(.user, 1234, "root")
    #expect(resolved() == [1234, 1234])
  }

  @Test(arguments: [16 << 20, 1000, 0]) func listsComeBackFromMemoryAndFromTheFile(memoryLimit: Int) throws {
    let lists = ExtendedLists(memoryLimit: memoryLimit)
    let all = (1...20).map { number in [UInt8](repeating: UInt8(number), count: number * 10) }
    for round in 1...3 {
      for (index, list) in all.enumerated() {
        try lists.add(try Self.reference(UInt64(index), list), ByteString(list))
      }
      for (index, list) in all.enumerated() {
        let reference = try Self.reference(UInt64(index), list)
        #expect(lists.contains(reference))
        #expect(try lists.list(reference) == ByteString(list), "list \(index) in round \(round)")
      }
      #expect(lists.isTrimDue == (memoryLimit <= 1000), "they may stay while they are few")
      if !lists.isTrimDue { continue }
      lists.trim()
      #expect(!lists.contains(try Self.reference(0, all[0])))
      #expect(!lists.isTrimDue)
    }
    #expect(try lists.list(nil) == "")
    #expect(try lists.list(try Self.reference(99, [1])) == "")
    #expect(try lists.list(try Self.reference(0, [1])) == "", "another list of the same carrier")
  }

  private static func row(_ reference: ExtendedReference?) -> PlanBatch.Row {
    PlanBatch.Row(
      saved: "/", directory: "/", entry: Entry(name: "file", attributes: regular(0), extended: reference))
  }

  private static func attributeGroup(_ number: UInt64, entry: UInt64) -> GroupLocation {
    var location = group(number, entry: entry)
    location.kind = .attributes
    return location
  }

  @Test func onlyGroupsOfWhatIsMissingAreFetched() throws {
    let lists = ExtendedLists()
    let locations = [
      PlanBatch.SessionLocations(
        session: session,
        locations: [
          Self.attributeGroup(1, entry: 1), Self.attributeGroup(4, entry: 100), Self.attributeGroup(5, entry: 100),
          Self.attributeGroup(9, entry: 200),
        ])
    ]
    let (early, middle, late) = (
      try Self.reference(7, [1]), try Self.reference(150, [2]), try Self.reference(200, [3])
    )
    func groups(_ rows: [ExtendedReference?]) -> [UInt64] {
      ExtendedCollector(rows: rows.map { Self.row($0) }, locations: locations, lists: lists).fetches
        .map(\.location.group)
    }
    #expect(groups([nil]).isEmpty)
    #expect(groups([early, nil, late, early]) == [1, 9])
    #expect(groups([middle]) == [4, 5])
    try lists.add(middle, "x")
    #expect(groups([middle, late]) == [9])
    #expect(groups([try Self.reference(0, [4])]).isEmpty, "nothing begins before it")
  }

  @Test func listsArePutTogetherAndChecked() throws {
    let list = (0..<150_000).map { UInt8(truncatingIfNeeded: $0) }
    let whole = try Self.reference(1, list)
    var damaged = try Self.reference(2, list)
    damaged.digest = Digest256(words: (1, 1, 1, 1))
    let gap = try Self.reference(3, list)
    let lists = ExtendedLists()
    var collector = ExtendedCollector(
      rows: [whole, damaged, gap].map { Self.row($0) }, locations: [], lists: lists)
    var hasher = try SHA256Hasher()
    func take(_ index: UInt64, _ range: Range<Int>) throws {
      var records = RecordWriter()
      list[range].withUnsafeBytes {
        records.extendedAttributes(index: index, offset: UInt32(range.lowerBound), total: UInt32(list.count), $0)
      }
      try collector.take(records.bytes, of: session, into: lists, &hasher)
    }
    // Each piece in a group of its own.
    for index in [1, 2, 3] as [UInt64] {
      try take(index, 0..<65_536)
      if index != 3 { try take(index, 65_536..<131_072) }
      try take(index, 131_072..<150_000)
    }
    #expect(lists.contains(whole))
    #expect(try lists.list(whole) == ByteString(list))
    #expect(Set(collector.missing.keys.map(\.index)) == [2, 3])
  }
}
