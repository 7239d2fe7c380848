import Testing
import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSession

/// Who may say hello: what a peer claims against what it proved and what is configured for it.
@Suite(.timeLimit(.minutes(1))) struct HelloAdmissionTests {
  private let listener = Hello(role: .storageDaemon, name: "main-sd")
  private let peer = Hello(role: .fileDaemon, name: "web1-fd")

  private func refusal(
    of peer: Hello? = nil, _ authentication: PeerAuthentication?, _ terms: PeerTerms? = PeerTerms(),
    by listener: Hello? = nil, isPrivate: Bool = true
  ) -> HelloRefusal? {
    do throws(HelloRefusal) {
      try (listener ?? self.listener).admit(
        peer ?? self.peer, authentication: authentication, allowing: [.fileDaemon, .director], terms: terms,
        isPrivate: isPrivate)
      return nil
    } catch { return error }
  }

  private func key(
    _ purpose: PeerIdentity.Purpose = .control, _ dialler: PeerRole = .fileDaemon, _ name: String = "web1-fd",
    _ role: PeerRole = .storageDaemon, _ listenerName: String = "main-sd"
  ) -> PeerAuthentication {
    let identity = PeerIdentity(purpose: purpose, dialler: dialler, name, listener: role, listenerName)
    return .presharedKey(ByteString(identity.text))
  }

  @Test func byKey() {
    #expect(refusal(key()) == nil)
    #expect(refusal(key(.job(.random()))) == nil)
    #expect(
      refusal(key(.control, .fileDaemon, "web2-fd"))
        == .otherPeer(claimed: .fileDaemon, "web1-fd", proved: "the file-daemon 'web2-fd'"))
    #expect(
      refusal(key(.control, .director, "web1-fd"))
        == .otherPeer(claimed: .fileDaemon, "web1-fd", proved: "the director 'web1-fd'"))
    #expect(
      refusal(key(.control, .fileDaemon, "web1-fd", .storageDaemon, "other"))
        == .otherListener(.storageDaemon, "other"))
    #expect(
      refusal(key(.control, .fileDaemon, "web1-fd", .fileDaemon, "main-sd")) == .otherListener(.fileDaemon, "main-sd"))
    #expect(refusal(.presharedKey("1 control")) == .unproved(name: "web1-fd"))
  }

  @Test func aJobsKeyIsForJobs() {
    let director = Hello(role: .director, name: "dir")
    #expect(
      refusal(of: director, key(.job(.random()), .director, "dir")) == .purpose(.director, listener: .storageDaemon))
    #expect(
      refusal(key(.job(.random()), .fileDaemon, "web1-fd", .director, "dir"), by: director)
        == .purpose(.fileDaemon, listener: .director))
  }

  @Test func byCertificate() {
    let own = PeerAuthentication.certificate(
      PeerCertificate(commonName: "x", alternativeNames: ["web1-fd", "web1.example.org"]))
    let other = PeerAuthentication.certificate(PeerCertificate(commonName: "web2-fd"))
    #expect(refusal(own) == nil)
    #expect(
      refusal(other)
        == .otherPeer(claimed: .fileDaemon, "web1-fd", proved: "the one whose certificate is of 'web2-fd'"))
    #expect(refusal(other, PeerTerms(allowedNames: ["web1-fd", "web2-fd"])) == nil)
    #expect(refusal(own, PeerTerms(allowedNames: ["ops"])) != nil, "only those that are allowed")
    #expect(refusal(own, PeerTerms(takesCertificate: false)) == .needsPassword(name: "web1-fd"))
  }

  @Test func withoutProof() {
    #expect(refusal(.unverified) == .unproved(name: "web1-fd"))
    #expect(refusal(.unverified, PeerTerms(verifiesPeer: false)) == nil)
    #expect(refusal(.unverified, PeerTerms(takesCertificate: false, verifiesPeer: false)) != nil)
    #expect(refusal(nil) == nil, "nobody has to prove anything inside one process")
  }

  @Test func byConfiguration() {
    let leaving = Hello(role: .fileDaemon, name: "web1-fd", leavesTLS: true)
    #expect(refusal(key(), nil) == .unknown(.fileDaemon, name: "web1-fd"))
    #expect(refusal(of: Hello(role: .console, name: "a"), key()) == .role(.console, listener: .storageDaemon))
    #expect(refusal(of: leaving, key()) == .encryption(leavesDialler: true))
    #expect(refusal(key(), PeerTerms(leavesTLS: true)) == .encryption(leavesDialler: false))
    #expect(refusal(of: leaving, key(), PeerTerms(leavesTLS: true)) == nil)
    #expect(
      refusal(of: leaving, key(), PeerTerms(leavesTLS: true), isPrivate: false) == .publicNetwork(name: leaving.name))
    #expect(refusal(of: leaving, key(), PeerTerms(leavesTLS: true, isForced: true), isPrivate: false) == nil)
  }

  @Test func whatAPeerChoseIsShownSafely() {
    #expect(HelloRefusal.unproved(name: "a\nb\u{1b}").description.contains("'a\\nb\\x1b'"))
  }

  @Test func aMismatchIsToldToBothSides() async throws {
    let fixture = TLSFixture()
    let socket = try fixture.listen()
    async let accepted = socket.accept()
    let dialled = try await fixture.dial(socket)
    let transport = try #require(await accepted)
    async let answered = Hello(role: .director, name: "main dir").answer(Channel(transport), allowing: [.console])
    let told = await #expect(throws: PeerRefusal.self) {
      try await Hello(role: .console, name: "root").dial(Channel(dialled), expecting: .director)
    }
    #expect(told?.code == .directorMistrusts)
    let refusal = HelloRefusal.otherPeer(claimed: .console, "root", proved: "the console 'ops'")
    #expect(told?.description == refusal.description)
    do {
      _ = try await answered
      Issue.record("The peer was let in.")
    } catch { #expect(error as? HelloRefusal == refusal) }
  }

  @Test func noopTellsTheFeatures() {
    let reply = Hello(role: .fileDaemon, name: "fd", features: 0x1f).noopReply
    #expect(reply.line.encoded() == bytes("2000 OK = features=1f\n"))
  }

  @Test(arguments: [
    ("3000 OK = features=7", true), ("3000 OK = features=3", false), ("3000 OK = features=fffb", false),
  ])
  func whoKnowsZstandardIsAsked(_ answer: String, _ knows: Bool) async throws {
    let (here, there) = PipeTransport.pair()
    try there.sendAll(bytes(answer + "\n"))
    #expect(try await Hello.knowsZstd(Channel(here), answering: .storageOK) == knows)
  }

  @Test(arguments: ["2000 OK = features=7", "3000 OK", "3000 OK = features=x", "3999 Failed = status=5 reason=no"])
  func anotherAnswerIsNone(_ answer: String) async throws {
    let (here, there) = PipeTransport.pair()
    try there.sendAll(bytes(answer + "\n"))
    await #expect(throws: (any Error).self) { try await Hello.knowsZstd(Channel(here), answering: .storageOK) }
  }
}
