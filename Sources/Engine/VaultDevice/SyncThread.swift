import Synchronization
import VaultModel
import VaultSystem

/// Syncs volumes beside the thread that writes them, so that writing goes on while the medium takes what is there.
///
/// The thread is made when it is first wanted: most sessions never write so much between two commits.
final class SyncThread: Sendable {
  private struct State {
    var wanted: UniqueIdentifier?
    var isSyncing = false
    var hasThread = false
    var isOver = false

    var isIdle: Bool { wanted == nil && !isSyncing }
  }

  private let device: Device
  private let state = Mutex(State())
  private let monitor = Monitor()

  init(device: Device) { self.device = device }

  /// Begins a sync of a volume, if none is under way here.
  func begin(_ volume: UniqueIdentifier) {
    let (isTaken, hasThread) = state.withLock { state in
      guard state.isIdle, !state.isOver else { return (false, true) }
      state.wanted = volume
      defer { state.hasThread = true }
      return (true, state.hasThread)
    }
    guard isTaken else { return }
    if !hasThread, !startThread() { return }
    monitor.signal()
  }

  /// Where the system refuses another thread, the one that writes syncs at the limit.
  private func startThread() -> Bool {
    do throws(SystemError) {
      try WorkerThread(name: "sd-sync") { [self] in run() }.detach()
      return true
    } catch {
      state.withLock { ($0.wanted, $0.hasThread) = (nil, false) }
      monitor.signal()
      return false
    }
  }

  private func run() {
    while let volume = next() {
      device.synchronizeAhead(volume)
      state.withLock { $0.isSyncing = false }
      monitor.signal()
    }
  }

  private func next() -> UniqueIdentifier? {
    while true {
      let ticket = monitor.ticket()
      let (wanted, isOver) = state.withLock { state in
        defer { if state.wanted.take() != nil { state.isSyncing = true } }
        return (state.wanted, state.isOver)
      }
      if let wanted { return wanted }
      if isOver { return nil }
      monitor.wait(since: ticket)
    }
  }

  /// Waits until nothing is synced here.
  func waitUntilIdle() {
    while true {
      let ticket = monitor.ticket()
      if state.withLock({ $0.isIdle }) { return }
      monitor.wait(since: ticket)
    }
  }

  /// Nothing more is synced; what is under way has ended when it returns.
  func finish() {
    state.withLock { $0.isOver = true }
    monitor.signal()
    waitUntilIdle()
  }
}
