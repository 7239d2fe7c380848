import Glibc
import Synchronization
import Testing
import VaultConfiguration
import VaultCrypto
import VaultModel
import VaultSystem

@testable import VaultSession

/// Secrets of typed passwords: derived once, kept, and not waited for by others.
@Suite(.timeLimit(.minutes(1))) final class SecretStoreTests: Sendable {
  private let directory: String
  private var path: ByteString { ByteString(directory + "/secrets") }

  init() throws {
    var template = Array("/tmp/vault-secrets-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SystemError.current("mkdtemp", "/tmp") }
    directory = String(cString: made)
  }

  deinit {
    unlink(directory + "/secrets")
    rmdir(directory)
  }

  /// Derives without much work and counts.
  private final class Derivation: Sendable {
    let count = Mutex(0)
    func derive(_ password: [UInt8]) -> [UInt8] {
      count.withLock { $0 += 1 }
      return (password + [UInt8](repeating: 1, count: 32)).prefix(32).map { $0 &+ 1 }
    }
    var number: Int { count.withLock { $0 } }
  }

  private func store(_ derivation: Derivation, at path: ByteString?) -> SecretStore {
    SecretStore(path: path, derive: { derivation.derive($0) })
  }

  @Test func aKeyIsItsOwnSecret() async throws {
    let derivation = Derivation()
    #expect(try await store(derivation, at: path).secret(of: .key(pattern(32)), name: "a") == pattern(32))
    #expect(derivation.number == 0)
    #expect(SecretFile.read(path) == nil, "nothing is kept of it")
  }

  @Test func aTypedPasswordIsDerivedOnceAndForAll() async throws {
    let derivation = Derivation()
    let first = store(derivation, at: path)
    let secret = try await first.secret(of: .typed(bytes("hunter2")), name: "web1-fd")
    #expect(secret == derivation.derive(bytes("hunter2")))
    #expect(try await first.secret(of: .typed(bytes("hunter2")), name: "web1-fd") == secret)
    #expect(derivation.number == 2, "the test's own included")
    let status = try FileStatus.read(at: Descriptor.workingDirectory, name: path)
    #expect(status.mode == 0o600)
    // After a restart.
    let again = store(derivation, at: path)
    #expect(try await again.secret(of: .typed(bytes("hunter2")), name: "web1-fd") == secret)
    #expect(derivation.number == 2)
    // A password that was changed counts at once.
    #expect(try await again.secret(of: .typed(bytes("hunter3")), name: "web1-fd") != secret)
    #expect(derivation.number == 3)
    #expect(SecretFile.read(path)?.secrets.count == 1, "the old one is forgotten")
    let kept = try DurableFiles.read(path, limit: 1 << 20)
    #expect(!String(decoding: kept, as: UTF8.self).contains("hunter"))
  }

  @Test func theRealWork() async throws {
    let secret = try await SecretStore(path: nil).secret(of: .typed(bytes("secret")), name: "a")
    #expect(secret == (try PresharedKey.secret(password: bytes("secret"))))
  }

  @Test(arguments: ["", "VLTSEC01", "nonsense", "truncated", "flipped", "readable"])
  func aFileThatCannotBeTrustedIsWrittenAnew(_ damage: String) async throws {
    let derivation = Derivation()
    let password = Password.typed(bytes("hunter2"))
    let secret = try await store(derivation, at: path).secret(of: password, name: "a")
    var content = try DurableFiles.read(path, limit: 1 << 20)
    switch damage {
    case "truncated": content.removeLast()
    case "flipped": content[content.count - 40] ^= 1
    case "readable": break
    default: content = bytes(damage)
    }
    try DurableFiles.write(content, to: path)
    if damage == "readable" { #expect(chmod(directory + "/secrets", 0o644) == 0) }
    #expect(try await store(derivation, at: path).secret(of: password, name: "a") == secret)
    #expect(derivation.number == 2)
    #expect(try await store(derivation, at: path).secret(of: password, name: "a") == secret)
    #expect(derivation.number == 2, "the new file is used")
    #expect(try FileStatus.read(at: Descriptor.workingDirectory, name: path).mode == 0o600)
  }

  @Test func everyPrefixOfAFileIsRefused() throws {
    var file = SecretFile(salt: pattern(32))
    file.secrets["ä"] = .init(tag: pattern(32, seed: 1), secret: pattern(32, seed: 2))
    file.secrets[""] = .init(tag: pattern(32, seed: 3), secret: pattern(32, seed: 4))
    let encoded = try file.encoded()
    #expect(SecretFile(decoding: encoded) == file)
    for count in 0..<encoded.count { #expect(SecretFile(decoding: Array(encoded[..<count])) == nil) }
  }

  @Test func aDirectoryThatIsNotThereIsToldAndNothingElse() async throws {
    let problems = Mutex<[String]>([])
    let store = SecretStore(
      path: ByteString(directory + "/missing/secrets"), derive: { $0 },
      onProblem: { problem in problems.withLock { $0.append(problem) } })
    #expect(try await store.secret(of: .typed([1]), name: "a") == [1])
    #expect(problems.withLock { $0.count == 1 && $0[0].contains("No such file") })
  }

  @Test func soManyAtATimeAndEachOnce() async throws {
    let running = Mutex(0)
    let most = Mutex(0)
    let total = Mutex(0)
    let gate = Gate()
    let store = SecretStore(path: nil, threadLimit: 2) { password in
      let now = running.withLock { count in
        count += 1
        return count
      }
      most.withLock { $0 = max($0, now) }
      total.withLock { $0 += 1 }
      gate.pass()
      running.withLock { $0 -= 1 }
      return password
    }
    let told = Wakes()
    for number in 0..<60 {
      let password = [UInt8(number % 6)]
      store.secret(of: .typed(password), name: "\(number)") { result in
        #expect((try? result.get()) == password)
        told.arrive()
      }
    }
    #expect(told.count == 0, "nobody who asks waits")
    gate.open()
    #expect(try await onThread(name: "told") { told.come(60) })
    #expect(most.withLock { $0 } <= 2)
    #expect(total.withLock { $0 } == 6)
  }

  @Test func threadsEndWithTheWork() async throws {
    let store = SecretStore(path: nil, threadLimit: 4) { $0 }
    for number in 0..<50 { _ = try await store.secret(of: .typed([UInt8(number)]), name: "\(number)") }
    // Those of other tests end, too.
    while try await output(of: "cat /proc/\(getpid())/task/*/comm").contains("vault-secret") {}
  }

  // MARK: Handshakes

  /// A listener's handshakes pause while a secret is derived, and go on with others meanwhile.
  @Test func aHandshakeWaitsForItsKeyAndNobodyElse() async throws {
    let fixture = TLSFixture()
    let gate = Gate()
    let store = SecretStore(path: nil) { password in
      gate.pass()
      return try PresharedKey.secret(password: password)
    }
    let typed = PeerIdentity(dialler: .console, "typed", listener: .director, "main dir")
    let listener = try TLSListener(
      addresses: SocketAddress.resolve(host: "127.0.0.1", port: 0), poller: fixture.poller, context: fixture.context,
      onRefusal: { fixture.note($0) },
      lookUp: { identity, tell in
        switch identity {
        case typed: store.key(of: .typed(bytes("hunter2")), name: "typed", for: identity, tell: tell)
        case TLSFixture.identity: store.key(of: .key(TLSFixture.secret), name: "ops", for: identity, tell: tell)
        default: tell(nil)
        }
      })
    let secret = try PresharedKey.secret(password: bytes("hunter2"))
    async let first = fixture.dial(listener, as: typed, secret: secret)
    async let second = fixture.dial(listener, as: typed, secret: secret)
    // While these two wait, others come and go, unknown ones, too.
    #expect(try await fixture.serves(listener))
    let unknown = PeerIdentity(dialler: .console, "nobody", listener: .director, "main dir")
    #expect(await fixture.failure { try await fixture.dial(listener, as: unknown, secret: secret) }.contains("refused"))
    gate.open()
    for transport in try await [first, second] {
      let accepted = try #require(await listener.accept())
      #expect(accepted.peerIdentity == ByteString(typed.text))
      transport.close()
    }
  }

  @Test func aHandshakeDoesNotWaitForEver() async throws {
    let fixture = TLSFixture()
    var limits = TLSListener.Limits()
    limits.handshakeNanoseconds = 50_000_000
    let late = Mutex<(@Sendable ([UInt8]?) -> Void)?>(nil)
    let listener = try TLSListener(
      addresses: SocketAddress.resolve(host: "127.0.0.1", port: 0), poller: fixture.poller, context: fixture.context,
      limits: limits, onRefusal: { fixture.note($0) },
      lookUp: { _, tell in late.withLock { $0 = tell } })
    #expect(await fixture.failure { try await fixture.dial(listener) }.contains("ended the connection"))
    #expect(try await fixture.refusal().contains("did not answer"))
    // An answer that comes too late is nobody's.
    late.withLock { $0 }?(pattern(32))
  }
}

/// Holds threads until it is opened.
private final class Gate: Sendable {
  private let monitor = Monitor()
  private let isOpen = Mutex(false)

  func pass() {
    while true {
      let ticket = monitor.ticket()
      if isOpen.withLock({ $0 }) { return }
      monitor.wait(since: ticket)
    }
  }

  func open() {
    isOpen.withLock { $0 = true }
    monitor.signal()
  }
}
