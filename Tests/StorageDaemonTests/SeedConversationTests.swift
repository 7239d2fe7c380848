import Testing
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession

@testable import StorageDaemon

/// Conversations of a client that knows only seed 001.
@Suite(.timeLimit(.minutes(1))) struct SeedConversationTests {
  private static let first = UniqueIdentifier(high: 1, low: 1)
  private static let second = UniqueIdentifier(high: 2, low: 2)
  private static let third = UniqueIdentifier(high: 3, low: 3)

  /// Announces sessions on one connection of a director.
  private func announce(
    _ sessions: [UniqueIdentifier], _ fixture: StorageDaemonFixture, password: ByteString? = nil
  ) async throws -> Channel {
    let control = try await fixture.dial(.director)
    for session in sessions {
      var line = fixture.jobLine(1, 1 << 30)
      line.words = [ByteString(session.text)]
      if let password { line.set("password", password) }
      try await control.request(line, frame: (.jobRecord, StorageDaemonFixture.jobRecord), expecting: .storageOK)
    }
    return control
  }

  private func open(_ session: UniqueIdentifier, _ client: Channel) async throws -> ByteString {
    let reply = try await client.request(
      ControlLine("append open session", words: [ByteString(session.text)]), expecting: .storageOK)
    return try #require(reply.line["ticket"])
  }

  /// Sends files, and waits until they are durable.
  private func send(_ files: [(header: String, bytes: [UInt8])], _ ticket: ByteString, _ client: Channel) async throws {
    try await client.request(ControlLine("append data", words: [ticket]), expecting: .storageOK)
    for file in files {
      try await client.sendFrame(.streamHeader, Array(file.header.utf8))
      if !file.bytes.isEmpty { try await client.sendFrame(.streamData, file.bytes) }
    }
    try await client.sendFrame(.endOfData, [])
  }

  private func expectCommitted(_ client: Channel) async throws {
    _ = try await client.expectFrame(.commitDurable)
    _ = try await client.expectFrame(.endOfCommits)
  }

  private func close(_ ticket: ByteString, _ client: Channel) async throws -> [VolumeLine] {
    let reply = try await client.request(ControlLine("append close session", words: [ticket]), expecting: .storageOK)
    var lines: [VolumeLine] = []
    let count = try #require(Int(reply.line["volumes"]?.text ?? ""))
    for _ in 0..<count {
      let line = try #require(try await client.receiveLine())
      #expect(line.verb == "Volume")
      lines.append(try #require(VolumeLine(words: line.words)))
    }
    return lines
  }

  /// The reply to a line, refusals included.
  private func reply(_ verb: String, _ words: [ByteString] = [], _ client: Channel) async throws -> Reply {
    try await client.sendLine(ControlLine(verb, words: words))
    return try await client.receiveReply()
  }

  /// Reads the payload that a reply announced.
  private func block(_ client: Channel) async throws -> [UInt8] {
    let length = try #require(try await client.receiveLine())
    var bytes = [UInt8](repeating: 0, count: try #require(Int(try length.word(0).text ?? "")))
    try bytes.withUnsafeMutableBytes { try client.receive(into: $0) }
    return bytes
  }

  @Test func aFileIsStoredAndReadByItsList() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let control = try await announce([Self.first, Self.second], fixture)
      let client = try await fixture.dial(.fileDaemon)
      let tickets = [try await open(Self.first, client), try await open(Self.second, client)]
      #expect(tickets[0] != tickets[1])
      try await send([("1 1 a", Array("hello".utf8)), ("2 63 b", [])], tickets[0], client)
      try await expectCommitted(client)
      try await send([("1 1 other", [7])], tickets[1], client)
      try await expectCommitted(client)
      // More data, and none after the end.
      try await send([("9 2 c", [1, 2, 3])], tickets[0], client)
      try await expectCommitted(client)
      #expect(try await client.refusal("append end session", [tickets[0]]) == nil)
      #expect(try await client.refusal("append data", [tickets[0]]) == .volumeBusy)
      let lines = try await close(tickets[0], client)
      #expect(try await client.refusal("append data", [tickets[0]]) == .invalidTicket)
      try #require(lines.count == 1)
      #expect(lines[0].volume == "vol-0001" && lines[0].session == Self.first && lines[0].start < lines[0].end)

      let name = UniqueIdentifier(high: 7, low: 7)
      try await control.request(
        ControlLine(
          "read job", words: [ByteString(name.text)],
          fields: [.init(key: "session", value: ByteString(Self.first.text))]), expecting: .storageOK)
      try await read(lines[0], ByteString(name.text), client)
    }
  }

  private func read(_ line: VolumeLine, _ name: ByteString, _ client: Channel) async throws {
    var other = line
    other.session = Self.second
    #expect(try await reply("read open session", [name] + other.words, client).line.verb == "3505 Session not found")
    other = line
    other.start.block += 1_000_000
    other.end = other.start
    #expect(try await reply("Read open session", [name] + other.words, client).line.verb == "3505 Session not found")
    other = line
    other.volume = "vol-0009"
    #expect(try await reply("read open session", [name] + other.words, client).line.verb == "3503 Volume not mounted")
    let opened = try await reply("Read open session", [name] + line.words, client)
    let ticket = try #require(opened.line["ticket"])
    #expect(opened.line.verb == "3100 OK")
    var groups: [GroupKind] = []
    var address = line.start
    while address <= line.end {
      let answer = try await reply("Read data", [ticket, ">", ByteString(String(address.block))], client)
      if answer.code == .storageOK {
        try await block(client).withUnsafeBytes { bytes in
          var sequence = GroupSequence(bytes)
          while let group = try sequence.next() { groups.append(group.header.kind) }
        }
      } else {
        // The other session's block lies between.
        #expect(answer.line.verb == "3505 Session not found")
      }
      let next = try #require(answer.line["next"]?.text)
      address.block = try #require(UInt32(next.dropFirst(2)))
    }
    let file: [GroupKind] = [.attributes, .data, .attributes]
    #expect(groups == file + [.attributes, .attributes, .commit] + file + [.commit])
    #expect(try await reply("read data", [ticket, ">", "0.1"], client).code == .storageRefused, "blocks ascend")
    #expect(try await reply("read data", [ticket, ">", "0.4000000"], client).line.verb == "3201 End of volume")
    #expect(try await reply("read data", [ticket, ">", "1.0"], client).line.verb == "3201 End of volume")
    #expect(try await client.refusal("read close session", [ticket]) == nil)
    #expect(try await reply("read data", [ticket, ">", "1"], client).line.verb == "3504 Invalid ticket number")
  }

  @Test func behindItsRangeASessionIsAtTheFilesEnd() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let control = try await announce([Self.first], fixture)
      let client = try await fixture.dial(.fileDaemon)
      let ticket = try await open(Self.first, client)
      for index in 1...2 {
        try await send([("\(index) 1 file\(index)", [1])], ticket, client)
        try await expectCommitted(client)
      }
      var line = try #require(try await close(ticket, client).first)
      let last = line.end
      line.end = line.start
      let name = ByteString(UniqueIdentifier(high: 7, low: 7).text)
      try await control.request(ControlLine("read job", words: [name]), expecting: .storageOK)
      let opened = try await reply("read open session", [name] + line.words, client)
      let read = try #require(opened.line["ticket"])
      let end = try await reply("read data", [read, ">", ByteString(String(last.block))], client)
      #expect(end.line.verb == "3401 End of file")
      #expect(try await client.refusal("read close session", [read]) == nil)
    }
  }

  @Test(arguments: ["", "1", "x 1 a", "1 1 ../a", "1 1 a b", "0 1 a", "1 65 a"])
  func aMalformedHeaderAbortsItsSessionOnly(_ header: String) async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let control = try await announce([Self.first, Self.second], fixture)
      let client = try await fixture.dial(.fileDaemon)
      let tickets = [try await open(Self.first, client), try await open(Self.second, client)]
      try await send([(header, [1, 2, 3])], tickets[0], client)
      _ = try await client.expectFrame(.jobEnd)
      #expect(try await reply("append end session", [tickets[0]], client).line.verb == "3505 Session aborted")
      try await send([("1 1 a", [1, 2, 3])], tickets[1], client)
      try await expectCommitted(client)
      #expect(try await close(tickets[1], client).count == 1)
      withExtendedLifetime(control) {}
    }
  }

  @Test func filesAndGroupsDoNotMix() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let control = try await announce([Self.first], fixture)
      let client = try await fixture.dial(.fileDaemon)
      let ticket = try await open(Self.first, client)
      try await send([("1 1 a", [1]), ("1 64 record-groups", [])], ticket, client)
      _ = try await client.expectFrame(.jobEnd)
      #expect(try await client.refusal("append close session", [ticket]) == .sessionAborted)
      withExtendedLifetime(control) {}
    }
  }

  @Test func aNotificationComesFirst() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let control = try await announce([Self.first], fixture)
      let client = try await fixture.dial(.fileDaemon)
      var notify = ControlLine("notify", words: ["test"])
      notify.set("text", "The disk is to be changed.")
      #expect(try await control.request(notify, expecting: .storageOK).line["connections"] == "1")
      let pending = try await reply("append open session", [ByteString(Self.first.text)], client)
      #expect(pending.line.verb == "3201 Notification pending")
      #expect(try await client.refusal("noop") == .endOfVolume)
      let told = try await reply("Query notification", [], client)
      #expect(told.line["notifications"] == "1")
      #expect(try await client.receiveLine()?["text"] == "The disk is to be changed.")
      _ = try await open(Self.first, client)
      #expect(try await reply("Query notification", [], client).line["notifications"] == "0")
      // What becomes of a client's job it is told, too.
      control.close()
      while try await client.refusal("noop") == nil {}
      #expect(try await reply("Query notification", [], client).line["notifications"] == "1")
      #expect(try await client.receiveLine()?.verb == "Notification")
    }
  }

  @Test func whatIsNoRequestGetsACode() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let client = try await fixture.dial(.fileDaemon)
      for bytes in ["\n", "what\n", "= = =\n", "append data = %\n", "append data\n", "\u{e9}\n", "\u{0}\u{1}\n"] {
        Array(bytes.utf8).withUnsafeBytes { bytes in #expect(throws: Never.self) { try client.lendBytesBlocking(bytes) }
        }
        let code = try await client.receiveReply().code
        #expect(code == .storageRefused, "\(bytes.debugDescription)")
      }
      #expect(try await client.refusal("noop") == nil)
    }
  }

  @Test func sessionsAreLimitedAndPasswordsAsked() async throws {
    let fixture = try StorageDaemonFixture()
    try await fixture.run {
      let sessions = (0...UInt64(OpenSessions.limit)).map { UniqueIdentifier(high: 9, low: $0) }
      let control = try await announce(sessions, fixture, password: "secret")
      let client = try await fixture.dial(.fileDaemon)
      let first = ByteString(sessions[0].text)
      #expect(try await client.refusal("append open session", [first]) == .storageRefused)
      #expect(try await client.refusal("append open session", [first, "other"]) == .storageRefused)
      for session in sessions.dropLast() {
        #expect(try await client.refusal("append open session", [ByteString(session.text), "secret"]) == nil)
      }
      let last = ByteString(sessions[OpenSessions.limit].text)
      #expect(try await reply("append open session", [last, "secret"], client).line.verb == "3502 Volume busy")
      #expect(try await client.refusal("append close session", ["1"]) == nil)
      #expect(try await client.refusal("append open session", [last, "secret"]) == nil)
      withExtendedLifetime(control) {}
    }
  }
}

/// The keys of a job's connections: each opens one.
@Suite struct JobKeyTests {
  private static let session = UniqueIdentifier(high: 1, low: 1)

  private func announced(_ jobs: JobTable) throws -> AnnouncedJob {
    let device = Device(
      store: MemoryVolumeStore(), parameters: DeviceParameters(repository: UniqueIdentifier(high: 1, low: 1)))
    _ = try device.recover(known: [])
    let job = AnnouncedJob(
      session: Self.session, director: "dir", limits: try CommitLimits(ControlLine("job")),
      device: OpenDevice(device: device, place: nil), key: [1], client: "web1", password: nil, lastIndex: 0,
      record: try DeviceControlRecord(
        device: device, session: Self.session, attempt: 1, jobRecord: StorageDaemonFixture.jobRecord))
    #expect(jobs.announce(job))
    return job
  }

  @Test func everyConnectionHasItsOwn() throws {
    let jobs = JobTable()
    let job = try announced(jobs)
    #expect(jobs.key(of: Self.session, for: "web2") == nil)
    #expect(jobs.key(of: Self.session, for: "web1") == [1])
    guard case .control? = jobs.useKey(of: Self.session) else {
      Issue.record("the job's own key opens its requests")
      return
    }
    #expect(jobs.key(of: Self.session, for: "web1") == nil && jobs.useKey(of: Self.session) == nil)

    let (old, new) = (DataFlow(ticket: 1, job: job), DataFlow(ticket: 1, job: job))
    jobs.expect(old, key: [2])
    #expect(jobs.key(of: Self.session, for: "web1") == [2])
    jobs.expect(new, key: [3])
    jobs.stopExpecting(old)
    #expect(jobs.key(of: Self.session, for: "web1") == [3] && jobs.key(of: Self.session, for: "web2") == nil)
    guard case .data(let flow)? = jobs.useKey(of: Self.session) else {
      Issue.record("the second key is for data")
      return
    }
    #expect(flow === new && jobs.key(of: Self.session, for: "web1") == nil && jobs.useKey(of: Self.session) == nil)
    jobs.expect(old, key: [4])
    #expect(jobs.withdraw(job))
    job.record.abort()
  }
}
