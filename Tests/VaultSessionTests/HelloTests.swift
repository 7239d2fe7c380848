import Testing
import VaultModel
import VaultProtocol
import VaultSession

/// The first words of a connection, on both sides.
@Suite(.timeLimit(.minutes(1))) struct HelloTests {
  @Test func theLineIsTheProtocols() throws {
    let hello = Hello(role: .fileDaemon, name: "web 1", version: "1.2.3", features: 0xA5)
    #expect(hello.line.encoded() == bytes("Hello = file-daemon web%201 calling vault/1.2.3 features=a5\n"))
    #expect(try Hello(hello.line) == hello)
  }

  @Test(arguments: [
    "noop", "Hello", "Hello = console", "Hello = console local calling vault/1",
    "Hello = monk local calling vault/1 features=1",
    "Hello = console local calling bacula/9 features=1", "Hello = console local calling vault/1 features=xyz",
    "Hello = console %FF calling vault/1 features=1", "Hello = console local shouting vault/1 features=1",
    "Hello = console local calling vault/1 features=10000000000000000",
  ])
  func whatIsNoHelloIsRefused(_ text: String) async throws {
    let line = try bytes(text).withUnsafeBytes { try ControlLine(decoding: $0) }
    #expect(throws: ControlError.self) { try Hello(line) }
    // The listener says why before it gives up.
    let (here, there) = PipeTransport.pair()
    let listener = Channel(there)
    try here.sendAll(bytes(text + "\n"))
    await #expect(throws: ControlError.self) {
      try await Hello(role: .fileDaemon, name: "fd").answer(listener, allowing: [.director])
    }
    let reply = try await Channel(here).receiveReply()
    #expect(reply.code == .fileDaemonFailed)
    #expect(reply.line["reason"] != nil)
  }

  @Test func aDiallerThatGoesWithoutAWordIsNoError() async throws {
    let (here, there) = PipeTransport.pair()
    here.close()
    #expect(try await Hello(role: .director, name: "dir").answer(Channel(there), allowing: [.console]) == nil)
  }

  @Test(arguments: [
    (PeerRole.director, StatusCode.directorOK, StatusCode.directorRefused),
    (.fileDaemon, .fileDaemonOK, .fileDaemonFailed), (.storageDaemon, .storageOK, .storageRefused),
  ])
  func eachListenerAnswersWithItsOwnCodes(_ role: PeerRole, _ accepted: StatusCode, _ refused: StatusCode) async throws
  {
    #expect(role.helloCode == accepted && role.refusalCode == refused)
    for allowed in [Set<PeerRole>([.console]), [.storageDaemon]] {
      let (here, there) = PipeTransport.pair()
      async let answered = try? Hello(role: role, name: "listener").answer(Channel(there), allowing: allowed)
      let dialler = Channel(here)
      try await dialler.sendLine(Hello(role: .console, name: "local").line)
      let reply = try await dialler.receiveReply()
      #expect(reply.code == (allowed.contains(.console) ? accepted : refused))
      #expect(await answered?.role == (allowed.contains(.console) ? .console : nil))
    }
  }

  @Test func bothSidesUseTheFeaturesThatBothHave() async throws {
    let (here, there) = PipeTransport.pair()
    let listener = Hello(role: .storageDaemon, name: "sd", version: "9.0", features: 0b1011)
    async let peer = listener.answer(Channel(there), allowing: [.director])
    let dialler = Hello(role: .director, name: "dir", features: 0xFFFF_0000_0000_0006)
    #expect(try await dialler.dial(Channel(here), expecting: .storageDaemon) == 0b0010)
    #expect(try await peer == dialler, "unknown bits are no reason to refuse")
  }

  @Test func whatThePeerCountsOnIsThereBeforeTheAnswer() async throws {
    let (here, there) = PipeTransport.pair()
    try here.sendAll(Hello(role: .fileDaemon, name: "web1").line.encoded())
    let listener = Hello(role: .storageDaemon, name: "sd")
    // Were it prepared after the answer, that would have been sent.
    await #expect(throws: TransportError.self) {
      try await listener.answer(Channel(there), allowing: [.fileDaemon], terms: { _ in PeerTerms() }) { peer in
        #expect(peer.name == "web1")
        there.close()
      }
    }
    await #expect(throws: TransportError.self) { try await Channel(here).receiveReply() }
    // Whoever is refused counts on nothing.
    let (console, other) = PipeTransport.pair()
    try console.sendAll(Hello(role: .console, name: "local").line.encoded())
    await #expect(throws: HelloRefusal.self) {
      try await listener.answer(Channel(other), allowing: [.fileDaemon], terms: { _ in PeerTerms() }) { _ in
        Issue.record("it was prepared for")
      }
    }
  }

  @Test(arguments: [
    "1000 OK Hello = features=1", "3999 Failed = status=5 reason=no", "3000 OK Hello = version=1", "3000 OK",
  ])
  func aDiallerInsistsOnTheRoleItWants(_ answer: String) async throws {
    let (here, there) = PipeTransport.pair()
    try there.sendAll(bytes(answer + "\n"))
    await #expect(throws: (any Error).self) {
      try await Hello(role: .director, name: "dir").dial(Channel(here), expecting: .storageDaemon)
    }
  }
}
