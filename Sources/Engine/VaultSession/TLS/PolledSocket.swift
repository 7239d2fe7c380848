import Synchronization
import VaultSystem

/// A socket that a poller knows; it is closed with the last reference to it.
final class PolledSocket: Sendable {
  /// How long the peer's last bytes are waited for after this side's end.
  static let lingerNanoseconds: UInt64 = 10_000_000_000

  private let descriptor: Descriptor
  private let poller: Poller
  private let watch: Poller.Watch
  private struct Waiting {
    /// Ends the waits of threads; made when the first thread waits, since an idle connection has none.
    var wakeUp: WakeUp?
    var hasEnded = false
  }

  private let waiting = Mutex(Waiting())

  init(_ descriptor: consuming Descriptor, _ poller: Poller) throws(SystemError) {
    watch = try poller.add(descriptor.rawValue)
    self.descriptor = descriptor
    self.poller = poller
  }

  deinit { poller.remove(watch) }

  /// The socket's number, valid as long as this value.
  var number: Int32 { descriptor.rawValue }

  func when(_ interest: Poller.Interest, _ wake: @escaping @Sendable () -> Void) {
    poller.when(interest, watch, wake)
  }

  /// Waits until the socket is ready or this side ends the stream, blocking the thread; false when the time passed.
  func wait(for interest: Poller.Interest, nanoseconds: UInt64?) throws(SystemError) -> Bool {
    let made: Result<WakeUp?, SystemError> = waiting.withLock { waiting in
      if waiting.hasEnded { return .success(nil) }
      do throws(SystemError) {
        if waiting.wakeUp == nil { waiting.wakeUp = try WakeUp() }
        return .success(waiting.wakeUp)
      } catch { return .failure(error) }
    }
    guard let wakeUp = try made.get() else { return true }
    return StreamSocket.wait(
      number, or: wakeUp, for: interest,
      milliseconds: nanoseconds.map { Int32(clamping: $0 / 1_000_000 + 1) } ?? -1)
  }

  /// Ends this side's stream; whoever waits for the socket is woken. The socket lives on until the peer has ended its side too, or
  /// for a while: closing it earlier could take back what was sent.
  ///
  /// - Parameter ticket: lives as long as the socket.
  func endSending(lingerNanoseconds: UInt64 = PolledSocket.lingerNanoseconds, holding ticket: ConnectionTicket? = nil) {
    StreamSocket.endSending(number)
    poller.remove(watch)
    waiting.withLock { waiting in
      waiting.hasEnded = true
      waiting.wakeUp?.signal()
    }
    // Without a place in the poller it is closed at once.
    guard let last = try? poller.add(number) else { return }
    let timer = poller.after(nanoseconds: lingerNanoseconds) { [poller] in poller.remove(last) }
    discard(last, timer, ticket)
  }

  /// Ends both directions at once; a listening socket gives up its port.
  func end() {
    StreamSocket.end(number)
    poller.remove(watch)
  }

  private func discard(_ last: Poller.Watch, _ timer: Poller.Timer, _ ticket: ConnectionTicket?) {
    poller.when(.readable, last) { [self] in
      // A watch that was removed is woken, too: the time is over.
      guard StreamSocket.discard(number), poller.isWatching(last) else {
        poller.cancel(timer)
        return poller.remove(last)
      }
      discard(last, timer, ticket)
    }
  }
}
