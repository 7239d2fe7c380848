import Synchronization
import VaultSystem

/// Several threads that end together.
final class WorkerCrew: Sendable {
  private struct State {
    var running = 0
  }

  private let state = Mutex(State())
  private let monitor = Monitor()

  /// Starts one more thread.
  func start(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    state.withLock { $0.running += 1 }
    do throws(SystemError) {
      let thread = try WorkerThread(name: name) { [self] in
        body()
        ended()
      }
      thread.detach()
    } catch {
      ended()
      throw error
    }
  }

  /// Starts up to `count` threads, as many as the system gives.
  ///
  /// - Parameter body: gets the thread's number, from 1.
  /// - Returns: how many were started.
  @discardableResult
  func startSome(_ count: Int, name: String, _ body: @escaping @Sendable (Int) -> Void) -> Int {
    for number in stride(from: 1, through: count, by: 1) {
      do throws(SystemError) { try start(name: "\(name)-\(number)") { body(number) } } catch { return number - 1 }
    }
    return max(0, count)
  }

  private func ended() {
    state.withLock { $0.running -= 1 }
    monitor.signal()
  }

  /// Waits until all threads' work has ended.
  func join() {
    while true {
      let ticket = monitor.ticket()
      if state.withLock({ $0.running == 0 }) { return }
      monitor.wait(since: ticket)
    }
  }
}
