import Synchronization
import VaultSession
import VaultSystem

/// The connections that clients have opened and that wait for the director to need them, by the client's name.
final class WaitingClients: Sendable {
  /// Connections of one client that wait at most: a file daemon keeps one.
  private static let limit = 8

  private struct State {
    var channels: [String: [Channel]] = [:]
    /// Those who wait for one.
    var arrivals: [String: [Promise<Void>]] = [:]
    var isClosed = false
  }

  private let state = Mutex(State())

  /// Takes a connection in; it is closed when its client ends it, or when newer ones are more than enough.
  func add(_ channel: Channel, of client: String) {
    // A client that waits says nothing: what comes is the end. Before anybody can take the connection, whose own waiting
    // replaces this.
    channel.whenBytesArrive { [weak self] in self?.drop(channel, of: client) }
    let (surplus, arrivals) = state.withLock { state -> (Channel?, [Promise<Void>]) in
      if state.isClosed { return (channel, []) }
      state.channels[client, default: []].append(channel)
      let isTooMany = state.channels[client, default: []].count > Self.limit
      return (isTooMany ? state.channels[client]?.removeFirst() : nil, state.arrivals.removeValue(forKey: client) ?? [])
    }
    surplus?.close()
    for arrival in arrivals { arrival.fulfil(.success(())) }
  }

  private func drop(_ channel: Channel, of client: String) {
    let wasWaiting = state.withLock { state in
      guard let place = state.channels[client]?.firstIndex(where: { $0 === channel }) else { return false }
      state.channels[client]?.remove(at: place)
      return true
    }
    if wasWaiting { channel.close() }
  }

  /// The newest connection of a client, which is the caller's from now on; nil when none waits.
  func take(_ client: String) -> Channel? { state.withLock { $0.channels[client]?.popLast() } }

  /// Waits until a client opens a connection, or a time passed.
  func arrival(of client: String, poller: Poller, nanoseconds: UInt64) async {
    let arrival = Promise<Void>()
    let isThere = state.withLock { state in
      if state.channels[client]?.isEmpty == false { return true }
      state.arrivals[client, default: []].append(arrival)
      return false
    }
    if isThere { return }
    let timer = poller.after(nanoseconds: nanoseconds) { arrival.fulfil(.success(())) }
    await withTaskCancellationHandler {
      _ = try? await arrival.value()
    } onCancel: {
      arrival.fulfil(.success(()))
    }
    _ = poller.cancel(timer)
    state.withLock { $0.arrivals[client]?.removeAll { $0 === arrival } }
  }

  /// Closes what waits, and what comes later.
  func close() {
    let channels = state.withLock { state in
      defer { state.channels = [:] }
      state.isClosed = true
      return state.channels.values.flatMap { $0 }
    }
    for channel in channels { channel.close() }
  }
}
