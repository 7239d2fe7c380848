import Synchronization
import VaultConfiguration
import VaultCrypto
import VaultModel
import VaultSystem

/// The secrets behind passwords: those of typed passwords take a tenth of a second each, so each is derived when it is first
/// needed, once, on a thread of its own, and kept in memory and in a file.
///
/// Who asks brings a password of the configuration; so nobody can make it derive more than there are passwords there.
package final class SecretStore: Sendable {
  /// Tells a secret, or why there is none.
  package typealias Tell = @Sendable (Result<[UInt8], any Error>) -> Void

  private struct Request {
    let password: [UInt8]
    /// The resource's name.
    let name: String
  }

  private struct State {
    /// By their passwords.
    var secrets: [[UInt8]: [UInt8]] = [:]
    /// Who waits for a password that is being derived or in the queue.
    var waiting: [[UInt8]: [Tell]] = [:]
    var queue: [Request] = []
    var threadCount = 0
  }

  private let path: ByteString?
  private let threadLimit: Int
  private let derive: @Sendable ([UInt8]) throws -> [UInt8]
  private let onProblem: @Sendable (String) -> Void
  private let state = Mutex(State())
  /// Read with the first request; held while the disk is read or written, by this type's threads only.
  private let file = Mutex<SecretFile?>(nil)

  /// - Parameters:
  ///   - path: of the file in the daemon's working directory; nil to keep secrets in memory only. A file that is damaged, or that others can
  ///     read, is ignored and written anew.
  ///   - threadLimit: how many passwords are worked on at a time, 32 MiB each.
  ///   - derive: makes a typed password's secret.
  ///   - onProblem: is told, for the log, of a file that cannot be written; secrets are then derived again after a restart.
  package init(
    path: ByteString?, threadLimit: Int = 2,
    derive: @escaping @Sendable ([UInt8]) throws -> [UInt8] = { try PresharedKey.secret(password: $0) },
    onProblem: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.path = path
    self.threadLimit = max(1, threadLimit)
    self.derive = derive
    self.onProblem = onProblem
  }

  // MARK: Asking

  /// The secret of a resource's password, for a dialler.
  package func secret(of password: Password, name: String) async throws -> [UInt8] {
    try await withCheckedThrowingContinuation { continuation in
      secret(of: password, name: name) { continuation.resume(with: $0) }
    }
  }

  /// The key of an identity that dials in, for `TLSListener`; does not block.
  ///
  /// - Parameter tell: is called at once when the secret is known, else later on another thread; with nil when it cannot be made.
  package func key(
    of password: Password, name: String, for identity: PeerIdentity, tell: @escaping @Sendable ([UInt8]?) -> Void
  ) {
    secret(of: password, name: name) { [onProblem] result in
      do {
        tell(try PresharedKey.derive(secret: try result.get(), identity: Array(identity.text.utf8)))
      } catch {
        onProblem("The secret of \(name) cannot be made. \(error)")
        tell(nil)
      }
    }
  }

  /// The secret of a resource's password; does not block.
  ///
  /// - Parameter tell: is called at once when the secret is known, else later on another thread.
  package func secret(of password: Password, name: String, tell: @escaping Tell) {
    let typed: [UInt8]
    switch password {
    case .key(let key): return tell(.success(key))
    case .typed(let bytes): typed = bytes
    }
    var startsThread = false
    let known: [UInt8]? = state.withLock { state in
      if let secret = state.secrets[typed] { return secret }
      state.waiting[typed, default: []].append(tell)
      // Somebody has asked for it already.
      if state.waiting[typed]?.count != 1 { return nil }
      state.queue.append(Request(password: typed, name: name))
      startsThread = state.threadCount < threadLimit
      if startsThread { state.threadCount += 1 }
      return nil
    }
    if let known { return tell(.success(known)) }
    if startsThread { startThread() }
  }

  // MARK: Deriving

  private func startThread() {
    do {
      try WorkerThread(name: "vault-secret") { self.work() }.detach()
    } catch {
      let isLast = state.withLock { state in
        state.threadCount -= 1
        return state.threadCount == 0
      }
      // Another thread takes the queue over.
      guard isLast else { return }
      while let request = next() { settle(request, .failure(error)) }
    }
  }

  /// Works the queue off; the thread ends with it.
  private func work() {
    while let request = nextOrEnd() { settle(request, Result { try make(request) }) }
  }

  private func next() -> Request? { state.withLock { $0.queue.isEmpty ? nil : $0.queue.removeFirst() } }

  private func nextOrEnd() -> Request? {
    state.withLock { state in
      guard state.queue.isEmpty else { return state.queue.removeFirst() }
      state.threadCount -= 1
      return nil
    }
  }

  private func settle(_ request: Request, _ result: Result<[UInt8], any Error>) {
    let waiting = state.withLock { state in
      if case .success(let secret) = result { state.secrets[request.password] = secret }
      return state.waiting.removeValue(forKey: request.password) ?? []
    }
    for tell in waiting { tell(result) }
  }

  private func make(_ request: Request) throws -> [UInt8] {
    guard let path else { return try derive(request.password) }
    let (salt, kept) = try file.withLock { file in
      let known = try file ?? SecretFile.read(path) ?? SecretFile(salt: PresharedKey.random())
      file = known
      return (known.salt, known.secrets[request.name])
    }
    let tag = try PresharedKey.tag(password: request.password, salt: salt)
    if let kept, kept.tag == tag { return kept.secret }
    let secret = try derive(request.password)
    file.withLock { file in
      file?.secrets[request.name] = SecretFile.Secret(tag: tag, secret: secret)
      do { try file?.write(path) } catch { onProblem("Secrets cannot be kept for the next start. \(error)") }
    }
    return secret
  }
}
