import Synchronization
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Sends the director one progress line a second while a job runs.
final class ProgressReporter: Sendable {
  private struct State {
    var lastNanoseconds: UInt64
    var entriesSeen: UInt64 = 0
    var passedByteCount: UInt64 = 0
    /// What the walker met last.
    var walkedPath: ByteString = ""
    /// What a worker is busy with for long.
    var largePath: ByteString?
  }

  private let state: Mutex<State>
  private let workedByteCount = Atomic<UInt64>(0)
  private let context: BackupContext
  private let channel: Channel

  init(context: BackupContext, channel: Channel) {
    self.context = context
    self.channel = channel
    state = Mutex(State(lastNanoseconds: context.clock.monotonicNanoseconds()))
  }

  /// What the walker has seen so far: entries, the bytes of those files that nobody reads, and where it is while it
  /// goes on.
  func saw(entries: UInt64, passedBytes: UInt64, path: ByteString?) {
    state.withLock { state in
      state.entriesSeen = entries
      state.passedByteCount = passedBytes
      if let path { state.walkedPath = path }
    }
  }

  /// A worker is done with so many bytes of the files that it reads.
  func worked(_ byteCount: UInt64) { workedByteCount.wrappingAdd(byteCount, ordering: .relaxed) }

  /// A worker reads a large file; nil when it is done with it.
  func reading(_ path: ByteString?) { state.withLock { $0.largePath = path } }

  /// Sends a line if a second went by since the last.
  func tick() {
    let now = context.clock.monotonicNanoseconds()
    let due: State? = state.withLock { state in
      guard now &- state.lastNanoseconds >= 1_000_000_000 else { return nil }
      state.lastNanoseconds = now
      return state
    }
    guard let due else { return }
    let counters = context.counters
    let worked = workedByteCount.load(ordering: .relaxed)
    var line = ControlLine("progress")
    line.set("entries", due.entriesSeen)
    // Sparse files may sum up to more than a number holds.
    line.set("bytes", due.passedByteCount &+ worked)
    line.set("read", worked)
    line.set("sent", counters.bytesSent)
    line.set("problems", counters.problems)
    line.set("path", due.largePath ?? due.walkedPath)
    let bytes = line.encoded()
    // A director that is gone is noticed by the thread that reads from it.
    try? bytes.withUnsafeBytes { try channel.sendFrameBlocking(.progress, $0) }
  }
}
