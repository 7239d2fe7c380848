import Testing
import VaultModel
import VaultProtocol

/// Frame payloads byte by byte, in both directions.
@Suite struct PayloadTests {
  @Test func locations() throws {
    var writer = ByteWriter()
    for location in Golden.locationValues { LocationCodec.write(location, to: &writer) }
    #expect(writer.array == Golden.locations)
    #expect(try Golden.locations.withUnsafeBytes { try LocationCodec.locations($0) } == Golden.locationValues)
    #expect(try LocationCodec.locations(UnsafeRawBufferPointer(start: nil, count: 0)).isEmpty)
  }

  @Test(arguments: [
    (0, 8, 0xff), (8, 8, 0xff), (16, 8, 0xff),  // numbers beyond 2^63 - 1
    (48, 4, 0xff), (52, 4, 0xff),  // lengths beyond a group's
    (56, 1, 0), (56, 1, 4), (57, 1, 1),  // kinds
  ])
  func locationsOutOfBoundsAreRefused(_ offset: Int, _ count: Int, _ value: UInt8) {
    var bytes = Golden.locations
    for index in offset..<offset + count { bytes[index] = value }
    #expect(throws: FormatError.self) { try bytes.withUnsafeBytes { try LocationCodec.locations($0) } }
  }

  @Test func aFrameOfLocationsFits() {
    #expect(LocationCodec.locationsPerFrame * 60 + 16 <= FrameHeader.payloadLimit)
  }

  @Test func storageShares() throws {
    let route = StorageRoute(
      storage: "sd one", host: "::1", port: 9103, job: UniqueIdentifier(high: 1, low: 2),
      key: [UInt8](repeating: 0xab, count: 32))
    let text =
      "storage = storage=sd%20one address=::1 port=9103 job=00000000-0000-0001-0000-000000000002 key="
      + String(repeating: "ab", count: 32) + "\n"
    let golden: [UInt8] = [UInt8(text.utf8.count), 0, 0, 0] + Array(text.utf8) + Array(1...16)
    let volume = UniqueIdentifier(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10)
    let share = StorageShare(route: route, volumes: [volume])
    #expect(share.encoded == golden)
    #expect(try StorageShare(payload: golden) == share)
    let none = StorageShare(route: route, volumes: [])
    #expect(try StorageShare(payload: none.encoded) == none)
    for count in 0..<golden.count where count != golden.count - 16 {
      #expect(throws: (any Error).self) { try StorageShare(payload: Array(golden[..<count])) }
    }
    let other = Array("storage = address=h\n".utf8)
    #expect(throws: ControlError.self) { try StorageShare(payload: [UInt8(other.count), 0, 0, 0] + other) }
  }

  @Test func groupsOfOneVolume() throws {
    let groups = [BlockGroup(block: 0x0403_0201, group: 0x08), BlockGroup(block: 5, group: UInt64(Int64.max))]
    let golden: [UInt8] = [1, 2, 3, 4, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 127]
    let session = UniqueIdentifier(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10)
    var writer = ByteWriter()
    for group in groups { LocationCodec.write(group, to: &writer) }
    #expect(writer.array == golden)
    #expect(try golden.withUnsafeBytes { try LocationCodec.neededGroups($0) } == groups)
    let moved = try (Array(1...16) + golden).withUnsafeBytes { try LocationCodec.movedGroups($0) }
    #expect(moved.session == session && moved.groups == groups)
    for count in 1..<golden.count where count != 12 {
      #expect(throws: FormatError.self) {
        try golden[..<count].withUnsafeBytes { try LocationCodec.neededGroups($0) }
      }
    }
    #expect(throws: FormatError.self, "a number beyond 2^63 - 1") {
      try (golden.dropLast() + [255]).withUnsafeBytes { try LocationCodec.neededGroups($0) }
    }
    #expect(LocationCodec.groupsPerFrame * 12 + 16 <= FrameHeader.payloadLimit)
  }

  @Test func volumes() throws {
    #expect(VolumeList.encode(Golden.volumeValues) == Golden.volumes)
    #expect(try Golden.volumes.withUnsafeBytes { try VolumeList.decode($0) } == Golden.volumeValues)
    #expect(VolumeList.encode([]) == [0, 0, 0, 0])
    for (offset, value) in [(0, 3), (3, 0xff), (36, 4), (37, 0xff), (38, 0xff)] as [(Int, UInt8)] {
      var bytes = Golden.volumes
      bytes[offset] = value
      #expect(throws: FormatError.self) { try bytes.withUnsafeBytes { try VolumeList.decode($0) } }
    }
  }

  @Test(arguments: VolumeStatus.allCases) func everyVolumeStatusTravels(_ status: VolumeStatus) throws {
    var volume = Golden.volumeValues[0]
    volume.status = status
    #expect(try VolumeList.encode([volume]).withUnsafeBytes { try VolumeList.decode($0) } == [volume])
    #expect(VolumeList.encode([volume])[36] == UInt8(VolumeStatus.allCases.firstIndex(of: status) ?? 9))
  }

  @Test func commits() throws {
    #expect(Golden.commitValue.encoded() == Golden.commit)
    #expect(try Golden.commit.withUnsafeBytes { try CommitFrame(decoding: $0) } == Golden.commitValue)
    var noNumber = Golden.commit
    noNumber[0] = 0
    var beyond = Golden.commit
    beyond[7] = 0x80
    for bytes in [noNumber, beyond, Golden.commit + [0], Array(Golden.commit.dropLast())] {
      #expect(throws: FormatError.self) { try bytes.withUnsafeBytes { try CommitFrame(decoding: $0) } }
    }
  }

  @Test func inodeQuestions() throws {
    var writer = ByteWriter()
    LocationCodec.writeQuestion(
      device: 64768, inode: 0x1122_3344_5566_7788, size: 12345,
      modified: FileTime(seconds: -7, nanoseconds: 999_999_999), to: &writer)
    #expect(writer.array == Golden.question)
    let read = try Golden.question.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes, "question")
      return try LocationCodec.question(from: &reader)
    }
    #expect(read.device == 64768 && read.inode == 0x1122_3344_5566_7788 && read.size == 12345)
    #expect(read.modified == FileTime(seconds: -7, nanoseconds: 999_999_999))
    var bytes = Golden.question
    bytes.replaceSubrange(32..<36, with: [0x00, 0xca, 0x9a, 0x3b])
    #expect(throws: FormatError.self) {
      try bytes.withUnsafeBytes { bytes in
        var reader = ByteReader(bytes, "question")
        _ = try LocationCodec.question(from: &reader)
      }
    }
  }

  @Test func inodeAnswers() throws {
    var writer = ByteWriter()
    LocationCodec.writeAnswer(nil, to: &writer)
    LocationCodec.writeAnswer(Golden.answerValue, to: &writer)
    // What only the session that carries it can name is not known to others.
    LocationCodec.writeAnswer(.own, to: &writer)
    #expect(writer.array == [0] + Golden.answer + [0])
    let read = try writer.array.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes, "answers")
      var answers: [ContentReference?] = []
      while !reader.isAtEnd { answers.append(try LocationCodec.answer(from: &reader)) }
      return answers
    }
    #expect(read == [nil, Golden.answerValue, nil])
  }

  @Test func paths() throws {
    #expect(PathList.encode(Golden.pathValues) == Golden.paths)
    #expect(try Golden.paths.withUnsafeBytes { try PathList.decode($0) } == Golden.pathValues)
    #expect(try PathList.decode(UnsafeRawBufferPointer(start: nil, count: 0)).isEmpty)
    let bad: [[UInt8]] = [[1], [1, 0, 0, 0], [0xff, 0xff, 0xff, 0xff, 0x2f], Array(Golden.paths.dropLast())]
    for bytes in bad {
      #expect(throws: FormatError.self) { try bytes.withUnsafeBytes { try PathList.decode($0) } }
    }
  }

  @Test func noPayloadIsReadBeyondItsEnd() {
    for count in 0..<Golden.commit.count {
      let bytes = Array(Golden.commit[..<count])
      #expect(throws: FormatError.self) { try bytes.withUnsafeBytes { try CommitFrame(decoding: $0) } }
    }
    for count in 1..<60 {
      let bytes = Array(Golden.locations[..<count])
      #expect(throws: FormatError.self) { try bytes.withUnsafeBytes { try LocationCodec.locations($0) } }
    }
    for count in 1..<Golden.answer.count {
      let bytes = Array(Golden.answer[..<count])
      #expect(throws: FormatError.self) {
        try bytes.withUnsafeBytes { bytes in
          var reader = ByteReader(bytes, "answer")
          _ = try LocationCodec.answer(from: &reader)
        }
      }
    }
  }

  @Test func changes() throws {
    let changes = [
      PlannedChange(.new, "/a"), PlannedChange(.changed, ByteString([0x2f, 0xff])), PlannedChange(.deleted, ""),
    ]
    var list = ChangeList()
    for change in changes { list.append(change) }
    let bytes: [UInt8] = [1, 2, 0, 0, 0, 0x2f, 0x61, 2, 2, 0, 0, 0, 0x2f, 0xff, 3, 0, 0, 0, 0]
    #expect(Array(list.bytes) == bytes)
    #expect(try bytes.withUnsafeBytes { try ChangeList.decode($0) } == changes)
    list.removeAll()
    #expect(list.bytes.isEmpty)
    for bad in [[0, 0, 0, 0, 0], [4, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0xff, 0xff, 0xff, 0xff], [1]] as [[UInt8]] {
      #expect(throws: FormatError.self) { try bad.withUnsafeBytes { try ChangeList.decode($0) } }
    }
  }

  @Test func estimates() throws {
    var estimate = BackupEstimate()
    estimate.entriesSeen = 1
    estimate.bytesToRead = UInt64.max
    estimate.add(5, to: \.bytesToRead)
    estimate.add(7, to: \.excluded)
    #expect(estimate.bytesToRead == UInt64(Int64.max) && estimate.excluded == 7)
    var line = ControlLine("x")
    estimate.write(to: &line)
    #expect(try BackupEstimate(line) == estimate)
    line.fields.removeLast()
    #expect(throws: ControlError.self) { try BackupEstimate(line) }
  }
}
