import Synchronization

/// A wish to stop that is made once, from any thread, and heard by whoever registered.
final class CancelSignal: Sendable {
  private struct State {
    var isSet = false
    var listeners: [@Sendable () -> Void] = []
  }

  private let state = Mutex(State())

  var isSet: Bool { state.withLock { $0.isSet } }

  func set() {
    let listeners = state.withLock { state in
      if state.isSet { return [@Sendable () -> Void]() }
      state.isSet = true
      defer { state.listeners = [] }
      return state.listeners
    }
    for listener in listeners { listener() }
  }

  /// Calls `listener` when the wish is made; at once if it was.
  func whenSet(_ listener: @escaping @Sendable () -> Void) {
    let isSet = state.withLock { state in
      if !state.isSet { state.listeners.append(listener) }
      return state.isSet
    }
    if isSet { listener() }
  }
}
