import Glibc
import Synchronization

/// A first-in first-out queue between threads that holds at most `capacity` elements.
///
/// It exists only between threads: tasks of the cooperative pool never block on it.
package final class BoundedQueue<Element: Sendable>: Sendable {
  private struct State {
    var elements: [Element?]
    var head = 0
    var count = 0
    /// No further elements come; what is inside is still taken.
    var isFinished = false
    /// Everything stops: elements inside are dropped.
    var isCancelled = false

    mutating func append(_ element: Element) {
      elements[(head + count) % elements.count] = element
      count += 1
    }
  }

  private let state: Mutex<State>
  private let monitor = Monitor()
  private let capacity: Int

  package init(capacity: Int) {
    self.capacity = max(1, capacity)
    state = Mutex(State(elements: Array(repeating: nil, count: max(1, capacity))))
  }

  /// Adds an element, waiting for room.
  ///
  /// - Returns: false when the queue was cancelled or finished; the element is then dropped.
  package func push(_ element: Element) -> Bool {
    while true {
      let ticket = monitor.ticket()
      let pushed: Bool? = state.withLock { state in
        if state.isCancelled || state.isFinished { return false }
        guard state.count < capacity else { return nil }
        state.append(element)
        return true
      }
      if let pushed {
        if pushed { monitor.signal() }
        return pushed
      }
      monitor.wait(since: ticket)
    }
  }

  /// Adds an element if there is room now; false when not, or when the queue was cancelled or finished.
  package func pushIfRoom(_ element: Element) -> Bool {
    let pushed = state.withLock { state in
      guard !state.isCancelled, !state.isFinished, state.count < capacity else { return false }
      state.append(element)
      return true
    }
    if pushed { monitor.signal() }
    return pushed
  }

  /// Whether `push` would return at once: there is room, or no element is taken any more.
  package var isPushImmediate: Bool {
    state.withLock { $0.isCancelled || $0.isFinished || $0.count < capacity }
  }

  /// Takes the oldest element, waiting for one.
  ///
  /// - Returns: nil when the queue is finished and empty, or cancelled.
  package func pop() -> Element? {
    while true {
      let ticket = monitor.ticket()
      var isOver = false
      let element: Element? = state.withLock { state in
        if state.isCancelled {
          isOver = true
          return nil
        }
        guard state.count > 0 else {
          isOver = state.isFinished
          return nil
        }
        let element = state.elements[state.head]
        state.elements[state.head] = nil
        state.head = (state.head + 1) % capacity
        state.count -= 1
        return element
      }
      if let element {
        monitor.signal()
        return element
      }
      if isOver { return nil }
      monitor.wait(since: ticket)
    }
  }

  /// Says that no further elements come.
  package func finish() {
    state.withLock { $0.isFinished = true }
    monitor.signal()
  }

  /// Stops everything: waiting and later calls return at once.
  ///
  /// - Returns: the elements that nobody will take.
  @discardableResult
  package func cancel() -> [Element] {
    let dropped = state.withLock { state in
      state.isCancelled = true
      let dropped = state.elements.compactMap { $0 }
      for index in state.elements.indices { state.elements[index] = nil }
      state.count = 0
      return dropped
    }
    monitor.signal()
    return dropped
  }
}

/// A place where threads wait for "something changed": a mutex, a condition and a generation count.
///
/// A waiter takes a ticket, looks at the state it cares for, and waits only if nothing was signalled since the ticket.
package final class Monitor: @unchecked Sendable {
  // Glibc's mutex and condition must not move: they live behind stable pointers that only this class touches.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var generation: UInt64 = 0
  private var waiterCount = 0

  package init() {
    mutex.initialize(to: pthread_mutex_t())
    condition.initialize(to: pthread_cond_t())
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// The present generation.
  package func ticket() -> UInt64 {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return generation
  }

  /// Wakes all waiters.
  package func signal() {
    pthread_mutex_lock(mutex)
    generation &+= 1
    let wake = waiterCount > 0
    pthread_mutex_unlock(mutex)
    if wake { pthread_cond_broadcast(condition) }
  }

  /// Waits until something was signalled since `ticket`.
  package func wait(since ticket: UInt64) {
    pthread_mutex_lock(mutex)
    waiterCount += 1
    while generation == ticket { pthread_cond_wait(condition, mutex) }
    waiterCount -= 1
    pthread_mutex_unlock(mutex)
  }

  /// Waits until something was signalled since `ticket`, or a time passed.
  ///
  /// - Returns: false when the time passed.
  package func wait(since ticket: UInt64, nanoseconds: UInt64) -> Bool {
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    let total = UInt64(deadline.tv_nsec) + nanoseconds % 1_000_000_000
    deadline.tv_sec += Int(nanoseconds / 1_000_000_000) + Int(total / 1_000_000_000)
    deadline.tv_nsec = Int(total % 1_000_000_000)
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    waiterCount += 1
    defer { waiterCount -= 1 }
    while generation == ticket {
      if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return generation != ticket }
    }
    return true
  }
}
