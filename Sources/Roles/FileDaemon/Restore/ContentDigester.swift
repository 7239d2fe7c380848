import Synchronization
import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSystem

/// A thread that digests large contents, one after the other, while the thread that it belongs to writes them.
///
/// Each `begin` must have its `end`, whatever happens between them.
final class ContentDigester: Sendable {
  private enum Step: Sendable {
    case begin(SealedContent, index: UInt64)
    case group(DecodedGroup)
    case end
  }

  /// What the thread shares with its owner, so that the owner can go while it runs.
  private final class Shared: Sendable {
    let steps = BoundedQueue<Step>(capacity: 1)
    let digests = BoundedQueue<Swift.Result<Digest256, any Error>>(capacity: 1)
    let hasFailed = Atomic(false)
  }

  /// Groups of a content that are in use at once: one that waits, one that is digested, and one that is written.
  static let groupLimit = 3

  private let shared = Shared()

  /// - Throws: when the system refuses another thread.
  init() throws(SystemError) {
    try WorkerThread(name: "vault-digest") { [shared] in
      while case .begin(let content, let index)? = shared.steps.pop() {
        _ = shared.digests.push(Swift.Result { try Self.digest(content, index, shared) })
      }
    }.detach()
  }

  deinit { shared.steps.finish() }

  private static func digest(_ content: SealedContent, _ index: UInt64, _ shared: Shared) throws -> Digest256 {
    do {
      var hasher = try ContentHasher()
      try hasher.begin(content.algorithm)
      while case .group(let group)? = shared.steps.pop() {
        try group.forEachPiece(of: index) { try hasher.add($0, at: $1) }
      }
      return try hasher.finish(size: content.size)
    } catch {
      shared.hasFailed.store(true, ordering: .releasing)
      while case .group? = shared.steps.pop() {}
      throw error
    }
  }

  /// Begins a content; `index` is its place in its session.
  func begin(_ content: SealedContent, index: UInt64) {
    shared.hasFailed.store(false, ordering: .relaxed)
    _ = shared.steps.push(.begin(content, index: index))
  }

  /// Adds the content's pieces of a group, waiting for room.
  ///
  /// - Returns: false when the digest has failed: `end` says why.
  func add(_ group: DecodedGroup) -> Bool {
    shared.steps.push(.group(group)) && !shared.hasFailed.load(ordering: .acquiring)
  }

  /// The digest of what was added, or what kept it from being computed.
  func end() -> Swift.Result<Digest256, any Error> {
    _ = shared.steps.push(.end)
    return shared.digests.pop() ?? .failure(BackupStopped())
  }
}
