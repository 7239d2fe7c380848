import VaultModel

/// The states of an append session as seed 001 draws them; pure.
struct AppendSession: Sendable {
  enum State: Hashable, Sendable {
    case open
    /// Data was asked for and flows.
    case data
    /// No further data is accepted.
    case ended
    case aborted(String)
    case closed
  }

  let job: UniqueIdentifier
  private(set) var state = State.open

  init(job: UniqueIdentifier) { self.job = job }

  mutating func dataRequested() throws(StorageError) {
    try refuseIfOver()
    switch state {
    case .open: state = .data
    case .ended: throw StorageError(.sessionEnded)
    default: throw StorageError(.dataFlows)
    }
  }

  /// Everything that was sent is durable; more may be.
  mutating func dataEnded() {
    if state == .data { state = .open }
  }

  mutating func endRequested() throws(StorageError) {
    try refuseIfOver()
    state = .ended
  }

  mutating func closeRequested() throws(StorageError) {
    try refuseIfOver()
    state = .closed
  }

  mutating func aborted(_ reason: String) {
    if state != .closed { state = .aborted(reason) }
  }

  private func refuseIfOver() throws(StorageError) {
    switch state {
    case .aborted(let reason): throw StorageError(.sessionAborted(reason))
    case .closed: throw StorageError(.invalidTicket)
    case .open, .data, .ended: return
    }
  }
}
