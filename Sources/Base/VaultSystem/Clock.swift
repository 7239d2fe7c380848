import Glibc
import VaultModel

/// Where time comes from, so that tests can pass their own.
package protocol VaultClock: Sendable {
  /// The wall clock.
  func now() -> Timestamp
  /// A monotonic count of nanoseconds.
  func monotonicNanoseconds() -> UInt64
}

/// The system's clocks.
package struct SystemClock: VaultClock {
  package init() {}

  package func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }

  package func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
