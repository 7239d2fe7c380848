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
    var bytesSeen: UInt64 = 0
  }

  private let state: Mutex<State>
  private let context: BackupContext
  private let channel: Channel

  init(context: BackupContext, channel: Channel) {
    self.context = context
    self.channel = channel
    state = Mutex(State(lastNanoseconds: context.clock.monotonicNanoseconds()))
  }

  /// What the walker has seen so far.
  func saw(entries: UInt64, bytes: UInt64) {
    state.withLock { state in
      state.entriesSeen = entries
      state.bytesSeen = bytes
    }
  }

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
    var line = ControlLine("progress")
    line.set("entries", due.entriesSeen)
    line.set("bytes", due.bytesSeen)
    line.set("sent", counters.bytesSent)
    line.set("problems", counters.problems)
    let bytes = line.encoded()
    // A director that is gone is noticed by the thread that reads from it.
    try? bytes.withUnsafeBytes { try channel.sendFrameBlocking(.progress, $0) }
  }
}
