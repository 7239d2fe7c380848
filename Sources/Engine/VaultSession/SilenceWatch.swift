import Synchronization
import VaultModel
import VaultSystem

/// Since when somebody waits for a peer, and how long that may take.
///
/// Waiting costs a store; a timer looks after it.
final class SilenceWatch: Sendable {
  private let receivingSince = Atomic<UInt64>(0)
  private let sendingSince = Atomic<UInt64>(0)
  private let limitNanoseconds = Atomic<UInt64>(0)
  private let isLookedAfter = Atomic(false)
  private let isOver = Atomic(false)
  private let clock = SystemClock()

  /// Whether the limit was passed: the conversation was ended for that.
  var isSilent: Bool { isOver.load(ordering: .acquiring) }
  var limitSeconds: UInt64 { limitNanoseconds.load(ordering: .relaxed) / 1_000_000_000 }

  func beginReceiving() { receivingSince.store(now, ordering: .relaxed) }
  func endReceiving() { receivingSince.store(0, ordering: .relaxed) }
  func beginSending() { sendingSince.store(now, ordering: .relaxed) }
  func endSending() { sendingSince.store(0, ordering: .relaxed) }

  private var now: UInt64 { limitNanoseconds.load(ordering: .relaxed) == 0 ? 0 : clock.monotonicNanoseconds() }

  /// Sets the limit, and looks after it as long as `channel` lives.
  func limit(seconds: UInt64, poller: Poller, _ channel: Channel) {
    limitNanoseconds.store(seconds * 1_000_000_000, ordering: .relaxed)
    if !isLookedAfter.exchange(seconds > 0, ordering: .relaxed), seconds > 0 { Self.look(poller, channel) }
  }

  private static func look(_ poller: Poller, _ channel: Channel) {
    let limit = channel.silence.limitNanoseconds.load(ordering: .relaxed)
    guard limit > 0 else { return channel.silence.isLookedAfter.store(false, ordering: .relaxed) }
    _ = poller.after(nanoseconds: max(limit / 4, 250_000_000)) { [weak channel] in
      guard let channel else { return }
      if channel.silence.isOverdue { channel.endForSilence() } else { look(poller, channel) }
    }
  }

  private var isOverdue: Bool {
    let limit = limitNanoseconds.load(ordering: .relaxed)
    guard limit > 0 else { return false }
    let time = clock.monotonicNanoseconds()
    return [receivingSince.load(ordering: .relaxed), sendingSince.load(ordering: .relaxed)].contains { since in
      since > 0 && time > since && time - since > limit
    }
  }

  func markSilent() { isOver.store(true, ordering: .releasing) }
}
