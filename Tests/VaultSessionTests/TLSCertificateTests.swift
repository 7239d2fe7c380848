import Testing
import VaultCrypto
import VaultModel
import VaultSession
import VaultSystem

/// Authentication by certificates both ways, beside pre-shared keys on the same port.
@Suite(.timeLimit(.minutes(2))) struct TLSCertificateTests {
  private let fixture = TLSFixture()
  private let site: CertificateAuthority

  init() throws {
    site = try CertificateAuthority()
    try site.issue("dir", commonName: "main dir", alternativeNames: "DNS:localhost,IP:127.0.0.1,IP:::1")
    try site.issue("ops", commonName: "ops")
  }

  private func listen(_ host: String = "127.0.0.1", verifiesPeer: Bool = true) throws -> TLSListener {
    try fixture.listen(host, certificates: site.certificates("dir", verifiesPeer: verifiesPeer))
  }

  /// What both sides say when a dialler with a certificate is turned away.
  private func failures(
    _ listener: TLSListener, _ certificates: TLSCertificates, name: String = "main dir", allowed: [ByteString] = []
  ) async throws -> (dialler: String, listener: String) {
    let dialler = await fixture.failure {
      try await fixture.dial(listener, showing: certificates, name: name, allowedNames: allowed)
    }
    return (dialler, try await fixture.refusal())
  }

  @Test(arguments: ["127.0.0.1", "::1"]) func bothSidesShowOne(_ host: String) async throws {
    let listener = try listen(host)
    async let accepted = listener.accept()
    let dialled = try await fixture.dial(listener, showing: site.certificates("ops"))
    let transport = try #require(await accepted)
    #expect(transport.peerAuthentication == .certificate(PeerCertificate(commonName: "ops")))
    #expect(transport.peerIdentity == nil)
    let names: [ByteString] = ["localhost", "127.0.0.1", "::1"]
    #expect(
      dialled.peerAuthentication == .certificate(PeerCertificate(commonName: "main dir", alternativeNames: names)))
    _ = try dialled.sendNow([1])
    #expect(try transport.receive(count: 1) == [1])
  }

  @Test func aPortTakesKeysBesideCertificates() async throws {
    let listener = try listen()
    for _ in 0..<2 {
      #expect(try await fixture.serves(listener))
      async let accepted = listener.accept()
      let dialled = try await fixture.dial(listener, showing: site.certificates("ops"))
      #expect(await accepted?.peerAuthentication == .certificate(PeerCertificate(commonName: "ops")))
      dialled.close()
    }
  }

  @Test func aDiallerWithAKeyTakesNoCertificate() async throws {
    // A program that has a certificate and no key, such as one in the middle.
    let port = try await freePort()
    let server = try WorkerThread(name: "s_server") { [site] in
      _ = try? shell(
        "cd \(site.directory) && openssl s_server -accept 127.0.0.1:\(port) -cert dir.pem -key dir.key -naccept 1"
          + " -tls1_3 -www >server.log 2>&1 </dev/null")
    }
    let message = try await dialUntilThere(port)
    #expect(message.contains("in place of proving that it knows the password"))
    server.join()
  }

  private func freePort() async throws -> UInt16 {
    let socket = try StreamSocket.listen(on: try #require(SocketAddress.resolve(host: "127.0.0.1", port: 0).first))
    return try #require(StreamSocket.localAddress(of: socket.rawValue)).port
  }

  /// What a dial by key comes to, once somebody listens.
  private func dialUntilThere(_ port: UInt16) async throws -> String {
    while true {
      do {
        _ = try await TLSDialler(poller: fixture.poller, context: fixture.context).dial(
          host: "127.0.0.1", port: port, identity: TLSFixture.identity, secret: TLSFixture.secret)
        return "connected"
      } catch let error as TransportError {
        guard case .unreachable = error.kind else { return error.description }
        await Task.yield()
      }
    }
  }

  @Test func aListenerWithAKeyOnlyTakesNoCertificate() async throws {
    let listener = try fixture.listen()
    let (dialler, log) = try await failures(listener, site.certificates("ops"))
    #expect(dialler.contains("the listener has none: there it goes by passwords"))
    #expect(log.hasSuffix(TLSFailure.noKeyOffered.description))
    #expect(try await fixture.serves(listener))
  }

  @Test func aWrongKeyDoesNotFallBackToCertificates() async throws {
    let listener = try listen()
    let told = await fixture.failure { try await fixture.dial(listener, secret: pattern(32)) }
    #expect(told.contains(TLSFailure.refused.description))
    #expect(try await fixture.refusal().hasSuffix(TLSFailure.wrongKey.description))
  }

  @Test func anExpiredOne() async throws {
    try site.issue("old", commonName: "ops", days: -1)
    let listener = try listen()
    let (dialler, log) = try await failures(listener, site.certificates("old"))
    #expect(dialler.contains("the peer says that ours has expired"))
    #expect(log.contains("the peer's, of 'ops', or its authority's has expired"))
    #expect(try await fixture.serves(listener))
  }

  @Test func oneByAnotherAuthority() async throws {
    try site.issue("foreign", commonName: "ops", by: "other")
    let listener = try listen()
    let (dialler, log) = try await failures(listener, site.certificates("foreign"))
    #expect(dialler.contains("the peer says that ours is by another authority"))
    #expect(log.contains("the peer's, of 'ops', is by another authority"))
    #expect(try await fixture.serves(listener))
  }

  @Test func aListenersByAnotherAuthority() async throws {
    let listener = try listen()
    let (dialler, log) = try await failures(listener, site.certificates("ops", authority: "other"))
    #expect(dialler.contains("the peer's, of 'main dir', 'localhost', '127.0.0.1', '::1', is by another authority"))
    #expect(log.contains("the peer says that ours is by another authority"))
    #expect(try await fixture.serves(listener))
  }

  @Test func aListenersOfAnotherName() async throws {
    try site.issue("elsewhere", commonName: "backup2")
    let listener = try fixture.listen(certificates: site.certificates("elsewhere"))
    let (dialler, log) = try await failures(listener, site.certificates("ops"))
    #expect(dialler.contains("the listener's is of 'backup2', not of '127.0.0.1' or 'main dir'"))
    #expect(log.contains("the peer does not accept ours"))
    #expect(try await fixture.serves(listener))
  }

  @Test func theNamesThatAreAllowed() async throws {
    let listener = try listen()
    for (name, allowed) in [("anybody", []), ("anybody", ["MAIN DIR"]), ("x", ["other", "localhost"])] {
      async let accepted = listener.accept()
      let dialled = try await fixture.dial(
        listener, showing: site.certificates("ops"), name: name, allowedNames: allowed.map { ByteString($0) })
      #expect(await accepted != nil)
      dialled.close()
    }
    let (dialler, _) = try await failures(listener, site.certificates("ops"), allowed: ["other"])
    #expect(dialler.contains("not of 'other'"))
  }

  @Test func noneIsSent() async throws {
    let listener = try listen()
    let port = try #require(listener.addresses.first).port
    let told = try await output(of: "openssl s_client -connect 127.0.0.1:\(port) -ign_eof </dev/null")
    #expect(told.contains("certificate required"))
    #expect(try await fixture.refusal().hasSuffix(TLSFailure.certificate("the peer sent none").description))
    #expect(try await fixture.serves(listener))
  }

  @Test func withoutVerificationNobodyIsVerified() async throws {
    let listener = try listen(verifiesPeer: false)
    async let accepted = listener.accept()
    let dialled = try await fixture.dial(listener, showing: site.certificates("ops"))
    #expect(await accepted?.peerAuthentication == .unverified)
    dialled.close()
  }

  @Test func filesThatDoNotDoAreNamed() throws {
    try site.issue("second", commonName: "second")
    try site.run("openssl pkey -in ops.key -aes128 -passout pass:x -out locked.key")
    try site.run("echo nothing > junk.pem; cp junk.pem junk.key")
    let cases: [(TLSCertificates, String, String)] = [
      (site.certificates("missing"), "missing.pem", "cannot be read: No such file"),
      (site.certificates("ops", key: "missing"), "missing.key", "cannot be read: No such file"),
      (site.certificates("ops", authority: "missing"), "missing.pem", "cannot be read: No such file"),
      (site.certificates("junk"), "junk.pem", "holds no certificate in PEM form"),
      (site.certificates("ops", key: "junk"), "junk.key", "holds no private key"),
      (site.certificates("ops", authority: "junk"), "junk.pem", "holds no certificate of an authority"),
      (site.certificates("ops", key: "second"), "second.key", "but another key"),
      (site.certificates("ops", key: "locked"), "locked.key", "passphrase"),
      (site.certificates("ops", authority: nil), "ops.pem", "no file of authorities"),
    ]
    for (certificates, file, reason) in cases {
      do {
        _ = try TLSContext(certificates: certificates)
        Issue.record("\(file) was taken")
      } catch {
        #expect("\(error)".contains("/\(file): ") && "\(error)".contains(reason), "\(error)")
      }
    }
    _ = try TLSContext(certificates: site.certificates("ops", authority: nil, verifiesPeer: false))
  }

  @Test(arguments: [
    ("web1", "WEB1", true), ("web1", "web2", false), ("*.example.org", "a.example.org", true),
    ("*.example.org", "a.b.example.org", false), ("*.example.org", "example.org", false), ("*.org", "a.org", false),
    ("*.0.0.1", "127.0.0.1", false), ("", "", false), ("*", "web1", false), ("a.example.org", "*.example.org", false),
  ])
  func whomACertificateIsFor(_ own: String, _ name: String, _ isFor: Bool) {
    #expect(PeerCertificate(commonName: ByteString(own)).isFor(ByteString(name)) == isFor)
    #expect(PeerCertificate(commonName: "x", alternativeNames: [ByteString(own)]).isFor(ByteString(name)) == isFor)
  }
}
