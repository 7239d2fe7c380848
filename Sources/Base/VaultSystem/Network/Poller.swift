import CLinux
import Glibc
import Synchronization
import SystemPackage
import VaultModel

/// Waits for many descriptors and times on one thread: an idle connection costs a descriptor and no thread.
///
/// Whoever waits gives a closure; it is called once, on the poller's thread, and must not block: it resumes a task or signals a monitor.
package final class Poller: Sendable {
  /// A descriptor that the poller knows.
  package struct Watch: Hashable, Sendable {
    fileprivate let number: UInt64
  }

  /// A time that is waited for.
  package struct Timer: Hashable, Sendable {
    fileprivate let number: UInt64
    fileprivate let deadline: UInt64
  }

  package enum Interest: Sendable {
    case readable
    case writable
  }

  private struct Watched {
    let descriptor: Int32
    var onReadable: (@Sendable () -> Void)?
    var onWritable: (@Sendable () -> Void)?
  }

  private struct Alarm {
    let timer: Timer
    let wake: @Sendable () -> Void
  }

  private struct State {
    var watches: [UInt64: Watched] = [:]
    /// By deadline, the next one last.
    var alarms: [Alarm] = []
    /// 0 stands for the wake-up descriptor.
    var nextNumber: UInt64 = 1
    var isClosed = false
  }

  private let state = Mutex(State())
  private let epoll: Descriptor
  private let wakeUp: WakeUp
  private let clock = SystemClock()

  /// Starts the thread; it ends with `close`.
  ///
  /// From then on the process ignores SIGPIPE: writing to a peer that is gone is an error of that connection.
  package init() throws(SystemError) {
    signal(SIGPIPE, SIG_IGN)
    let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard epoll >= 0 else { throw .current("epoll_create1", "poller") }
    self.epoll = Descriptor(owning: epoll)
    wakeUp = try WakeUp()
    guard vault_epoll_control(epoll, EPOLL_CTL_ADD, wakeUp.number, UInt32(VAULT_EPOLL_IN), 0) == 0 else {
      throw .current("epoll_ctl", "poller")
    }
    try WorkerThread(name: "vault-poll") { self.run() }.detach()
  }

  /// Ends the thread; whoever waits is woken.
  package func close() {
    let wakes = state.withLock { state in
      state.isClosed = true
      defer {
        state.watches = [:]
        state.alarms = []
      }
      return state.watches.values.flatMap { [$0.onReadable, $0.onWritable] } + state.alarms.map(\.wake)
    }
    wakeUp.signal()
    for wake in wakes { wake?() }
  }

  // MARK: Descriptors

  /// Makes a descriptor known; it stays open until it is removed.
  package func add(_ descriptor: Int32) throws(SystemError) -> Watch {
    let number = state.withLock { state in
      defer { state.nextNumber += 1 }
      state.watches[state.nextNumber] = Watched(descriptor: descriptor)
      return state.nextNumber
    }
    // Armed when somebody waits.
    guard vault_epoll_control(epoll.rawValue, EPOLL_CTL_ADD, descriptor, VAULT_EPOLL_ONE_SHOT, number) == 0 else {
      let error = SystemError.current("epoll_ctl", "descriptor \(descriptor)")
      state.withLock { _ = $0.watches.removeValue(forKey: number) }
      throw error
    }
    return Watch(number: number)
  }

  /// Forgets a descriptor, while it is still open, and wakes who waits for it; who waits for it later is woken at once.
  package func remove(_ watch: Watch) {
    let removed = state.withLock { state in
      let watched = state.watches.removeValue(forKey: watch.number)
      if let watched { _ = vault_epoll_control(epoll.rawValue, EPOLL_CTL_DEL, watched.descriptor, 0, 0) }
      return watched
    }
    removed?.onReadable?()
    removed?.onWritable?()
  }

  /// Whether a descriptor is known still.
  package func isWatching(_ watch: Watch) -> Bool { state.withLock { $0.watches[watch.number] != nil } }

  /// Calls `wake` once when the descriptor is ready or has failed; a later call for the same interest replaces it.
  package func when(_ interest: Interest, _ watch: Watch, _ wake: @escaping @Sendable () -> Void) {
    let isArmed = state.withLock { state in
      guard var watched = state.watches[watch.number] else { return false }
      switch interest {
      case .readable: watched.onReadable = wake
      case .writable: watched.onWritable = wake
      }
      state.watches[watch.number] = watched
      return arm(watched, watch.number)
    }
    // A descriptor that cannot be waited for has failed, which its next use will tell.
    if !isArmed { wake() }
  }

  /// Tells the kernel what is waited for now; under the state's lock, so that the last call counts.
  private func arm(_ watched: Watched, _ number: UInt64) -> Bool {
    var events = VAULT_EPOLL_ONE_SHOT
    if watched.onReadable != nil { events |= UInt32(VAULT_EPOLL_IN) }
    if watched.onWritable != nil { events |= UInt32(VAULT_EPOLL_OUT) }
    return vault_epoll_control(epoll.rawValue, EPOLL_CTL_MOD, watched.descriptor, events, number) == 0
  }

  // MARK: Times

  /// Calls `wake` once after a time, unless it is cancelled before.
  package func after(nanoseconds: UInt64, _ wake: @escaping @Sendable () -> Void) -> Timer {
    let deadline = clock.monotonicNanoseconds().addingReportingOverflow(nanoseconds)
    let timer = state.withLock { state in
      defer { state.nextNumber += 1 }
      let timer = Timer(number: state.nextNumber, deadline: deadline.overflow ? .max : deadline.partialValue)
      let place = state.alarms.firstIndex { $0.timer.deadline <= timer.deadline } ?? state.alarms.endIndex
      state.alarms.insert(Alarm(timer: timer, wake: wake), at: place)
      return timer
    }
    wakeUp.signal()
    return timer
  }

  /// Cancels a timer; false when it was called already.
  @discardableResult
  package func cancel(_ timer: Timer) -> Bool {
    state.withLock { state in
      guard let place = state.alarms.firstIndex(where: { $0.timer == timer }) else { return false }
      state.alarms.remove(at: place)
      return true
    }
  }

  // MARK: The thread

  private func run() {
    let batch = Int(VAULT_EPOLL_BATCH)
    var tokens = [UInt64](repeating: 0, count: batch)
    var events = [UInt32](repeating: 0, count: batch)
    while let timeout = state.withLock({ $0.isClosed ? nil : milliseconds(until: $0.alarms.last?.timer.deadline) }) {
      let count = Int(vault_epoll_wait(epoll.rawValue, &tokens, &events, timeout))
      for index in 0..<max(0, count) {
        if tokens[index] == 0 {
          wakeUp.clear()
        } else {
          for wake in take(tokens[index], events[index]) { wake() }
        }
      }
      while let wake = takeDueAlarm() { wake() }
    }
  }

  /// Whole milliseconds, rounded up; -1 for ever.
  private func milliseconds(until deadline: UInt64?) -> Int32 {
    guard let deadline else { return -1 }
    let now = clock.monotonicNanoseconds()
    guard deadline > now else { return 0 }
    return Int32(clamping: (deadline - now) / 1_000_000 + 1)
  }

  /// Whom a descriptor's events wake; what else is waited for is armed again.
  private func take(_ number: UInt64, _ events: UInt32) -> [@Sendable () -> Void] {
    state.withLock { state in
      guard var watched = state.watches[number] else { return [] }
      let ended = UInt32(VAULT_EPOLL_ERROR | VAULT_EPOLL_HANG_UP)
      var wakes: [@Sendable () -> Void] = []
      if events & (UInt32(VAULT_EPOLL_IN) | ended) != 0, let wake = watched.onReadable.take() {
        wakes.append(wake)
      }
      if events & (UInt32(VAULT_EPOLL_OUT) | ended) != 0, let wake = watched.onWritable.take() {
        wakes.append(wake)
      }
      state.watches[number] = watched
      if watched.onReadable != nil || watched.onWritable != nil { _ = arm(watched, number) }
      return wakes
    }
  }

  private func takeDueAlarm() -> (@Sendable () -> Void)? {
    let now = clock.monotonicNanoseconds()
    return state.withLock { state in
      guard let next = state.alarms.last, next.timer.deadline <= now else { return nil }
      state.alarms.removeLast()
      return next.wake
    }
  }
}
