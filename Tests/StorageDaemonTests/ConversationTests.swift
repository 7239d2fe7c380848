import Testing
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession

@testable import StorageDaemon

/// Whole conversations with the storage daemon, word by word.
@Suite(.timeLimit(.minutes(1))) struct ConversationTests {
  private static let session = ByteString(StorageDaemonFixture.session.text)

  @Test func dataIsCommittedHandedOverAndReadBack() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let (control, attributes) = try await fixture.announce()
      let data = try await fixture.dial(.fileDaemon)
      let ticket = try await data.beginAppending()
      let groups = [try StorageDaemonFixture.group(1, mayCommit: false), try StorageDaemonFixture.group(2)]
      for group in groups { try await data.sendFrame(.recordGroup, group) }
      // Durable for the file daemon first, then the director's: the commit, its groups, where they lie.
      #expect(try await data.expectFrame(.commitDurable) == number(1))
      let commit = try await attributes.expectFrame(.commit).withUnsafeBytes { try CommitFrame(decoding: $0) }
      #expect(commit.number == 1 && commit.attempt == 1 && commit.frameCount == 3 && commit.volumes.count == 1)
      for group in groups { #expect(try await attributes.expectFrame(.attributeGroup) == group) }
      let locations = try await attributes.expectFrame(.groupLocations).withUnsafeBytes {
        try LocationCodec.locations($0)
      }
      #expect(locations.map(\.group) == [1, 2])
      try await attributes.sendFrame(.commitCatalogued, number(1))

      try await data.sendFrame(.endOfData, [])
      _ = try await data.expectFrame(.endOfCommits)
      try await data.request(ControlLine("append end session", words: [ticket]), expecting: .storageOK)
      let closed = try await data.request(
        ControlLine("append close session", words: [ticket]), expecting: .storageOK)
      #expect(closed.line["volumes"] == "1")
      let list = try #require(try await data.receiveLine())
      let place = try #require(VolumeLine(words: list.words))
      #expect(place.start == locations[0].block && place.end == locations[1].block)
      _ = try await attributes.expectFrame(.endOfCommits)
      #expect(try await data.refusal("append end session", [ticket]) == .invalidTicket)
      let reply = try await control.request(
        ControlLine("end job", words: [Self.session]), frame: (.jobRecord, StorageDaemonFixture.jobEndRecord),
        expecting: .storageOK)
      let volumes = try #require(reply.line["volume"]).bytes.withUnsafeBytes { try VolumeList.decode($0) }
      #expect(volumes.map(\.identifier) == commit.volumes.map(\.identifier))
      #expect(try #require(volumes.first).end > commit.volumes[0].end)
      try await read(locations[0], groups, fixture, control)
    }
  }

  private func read(
    _ location: GroupLocation, _ groups: [[UInt8]], _ fixture: StorageDaemonFixture, _ control: Channel
  ) async throws {
    let restore = ByteString(UniqueIdentifier(high: 7, low: 7).text)
    let words = [restore, ByteString(location.volume.text), Self.session]
    let reader = try await fixture.dial(.fileDaemon)
    #expect(try await reader.refusal("read open session", words) == .sessionAborted, "the director has not said so")
    try await control.request(ControlLine("read job", words: [restore]), expecting: .storageOK)
    let opened = try await reader.request(ControlLine("read open session", words: words), expecting: .readTicket)
    let ticket = try #require(opened.line["ticket"])
    let address = ByteString("\(location.block.file).\(location.block.block)")
    let reply = try await reader.request(
      ControlLine("read data", words: [ticket, ">", address]), expecting: .storageOK)
    #expect(reply.line["next"] == ByteString("0.\(location.block.block + 1)"))
    let length = try #require(try await reader.receiveLine())
    #expect(length.verb == "Length")
    var bytes = [UInt8](repeating: 0, count: try #require(Int(try length.word(0).text ?? "")))
    try bytes.withUnsafeMutableBytes { try reader.receive(into: $0) }
    #expect(Array(bytes.prefix(groups[0].count + groups[1].count)) == groups[0] + groups[1])
    #expect(try await reader.refusal("read data", [ticket, ">", "0.4000000"]) == .endOfVolume)
    #expect(try await reader.refusal("read data", [ticket, ">", "x"]) == .storageRefused)
    #expect(try await reader.refusal("read close session", [ticket]) == nil)
    #expect(try await reader.refusal("read data", [ticket, ">", address]) == .invalidTicket)
  }

  @Test func nobodyAppendsWithoutADirector() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let data = try await fixture.dial(.fileDaemon)
      #expect(try await data.refusal("append open session", [Self.session]) == .sessionAborted)
      #expect(try await data.refusal("append open session", ["x"]) == .sessionAborted)
      #expect(try await data.refusal("append data", ["1"]) == .invalidTicket)
      #expect(try await data.refusal("job", [Self.session]) == .storageRefused, "that is for directors")
      #expect(try await data.refusal("Query notification") == nil)
      let director = try await fixture.dial(.director)
      #expect(try await director.refusal("append open session", [Self.session]) == .storageRefused)
      #expect(try await director.refusal("attribute data", [Self.session]) == .sessionAborted)
      #expect(try await director.refusal("noop") == nil)
    }
  }

  @Test func aSessionIsOpenOnce() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let (control, _) = try await fixture.announce()
      let again = await refusalCode {
        try await control.request(
          fixture.jobLine(1, 1), frame: (.jobRecord, StorageDaemonFixture.jobRecord), expecting: .storageOK)
      }
      #expect(again == .volumeBusy)
      let data = try await fixture.dial(.fileDaemon)
      #expect(try await data.refusal("append open session", [Self.session]) == nil)
      #expect(try await data.refusal("append open session", [Self.session]) == .volumeBusy)
      #expect(try await data.refusal("append abort session", ["1"]) == nil)
      #expect(try await data.refusal("append end session", ["1"]) == .sessionAborted)
    }
  }

  @Test(
    arguments: [
      (.recordGroup, [1, 2, 3]), (.recordGroup, [UInt8](repeating: 0, count: 200)), (.commit, []), (.streamHeader, []),
    ] as [(FrameKind, [UInt8])])
  func whatIsNoGroupEndsTheSession(_ kind: FrameKind, _ payload: [UInt8]) async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let (control, attributes) = try await fixture.announce()
      let data = try await fixture.dial(.fileDaemon)
      _ = try await data.beginAppending()
      try await data.sendFrame(kind, payload)
      let end = try await data.expectFrame(.jobEnd)
      let reply = try end.withUnsafeBytes {
        try Reply(try ControlLine(decoding: UnsafeRawBufferPointer(rebasing: $0.dropLast())))
      }
      #expect(reply.code == .storageRefused)
      // The director hears that no commit comes, and the announcement is gone.
      _ = try await attributes.expectFrame(.endOfCommits)
      let refused = await refusalCode {
        try await control.request(
          ControlLine("end job", words: [Self.session]), frame: (.jobRecord, StorageDaemonFixture.jobEndRecord),
          expecting: .storageOK)
      }
      #expect(refused == .sessionAborted)
    }
  }

  @Test func aGroupOfAnotherAttemptIsRefused() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let (control, attributes) = try await fixture.announce(attempt: 2)
      let data = try await fixture.dial(.fileDaemon)
      _ = try await data.beginAppending()
      try await data.sendFrame(.recordGroup, try StorageDaemonFixture.group(1, attempt: 1))
      _ = try await data.expectFrame(.jobEnd)
      withExtendedLifetime((control, attributes)) {}
    }
  }

  @Test func aDirectorThatGoesTakesItsJobWithIt() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let (control, attributes) = try await fixture.announce()
      let data = try await fixture.dial(.fileDaemon)
      _ = try await data.beginAppending()
      control.close()
      _ = try await attributes.expectFrame(.endOfCommits)
      try await data.sendFrame(.recordGroup, try StorageDaemonFixture.group(1))
      _ = try await data.expectFrame(.jobEnd)
    }
  }

  private func refusalCode(_ body: () async throws -> Reply) async -> StatusCode? {
    do {
      _ = try await body()
      return nil
    } catch {
      return (error as? PeerRefusal)?.code
    }
  }
}
