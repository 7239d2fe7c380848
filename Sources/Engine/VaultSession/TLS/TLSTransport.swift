import SystemPackage
import Synchronization
import VaultCrypto
import VaultModel
import VaultSystem

/// A transport over TCP with TLS 1.3.
///
/// Its socket is closed when both sides are done with it, or a while after this side is: what was sent last must not be lost to a
/// reset.
package final class TLSTransport: ThreadWaitingTransport, @unchecked Sendable {
  /// How the bytes of one direction go.
  private enum Form {
    case encrypted
    /// Unencrypted from the end of the encrypted stream on, which is still to be sent or received.
    case ending
    case plain
  }

  // `stream` and the flags are reached only under `lock`: the library's connection is one thread's at a time.
  private let lock = Mutex(())
  private let stream: TLSStream
  /// This side has ended the stream.
  private var isClosed = false
  /// What the last read found missing: bytes, or room for what the library has to answer the peer first. Nil when it got some.
  private var lastReadNeeds: Poller.Interest?
  private var writeNeedsReadable = false
  private var sending = Form.encrypted
  private var receiving = Form.encrypted
  /// Who waits for bytes: the last that asked.
  private var onReceivable: (@Sendable () -> Void)?
  /// Counts this connection among its listener's.
  private var ticket: ConnectionTicket?

  private let socket: PolledSocket
  package let peer: String
  package let peerIdentity: ByteString?
  package let peerAuthentication: PeerAuthentication?

  /// - Parameters:
  ///   - stream: its handshake is done; it lies over the socket and nobody else has it.
  ///   - ticket: its listener's, held until this side is closed.
  init(_ stream: TLSStream, _ socket: PolledSocket, peer: String, ticket: ConnectionTicket?) {
    peerAuthentication = stream.authentication
    peerIdentity = stream.peerIdentity
    self.stream = stream
    self.socket = socket
    self.peer = peer
    self.ticket = ticket
  }

  deinit {
    close()
    onReceivable?()
  }

  package var localAddress: SocketAddress? { StreamSocket.localAddress(of: socket.number) }

  package func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int? {
    let outcome = locked { () throws(TLSFailure) in
      if isClosed { return .end }
      if receiving == .plain { return try receivePlain(into: buffer) }
      let outcome = try stream.read(into: buffer)
      lastReadNeeds = outcome == .needsWritable ? .writable : outcome == .needsReadable ? .readable : nil
      guard outcome == .end, receiving == .ending else { return outcome }
      receiving = .plain
      return try receivePlain(into: buffer)
    }
    switch outcome {
    case .success(.done(let count)): return count
    case .success(.needsReadable), .success(.needsWritable): return nil
    case .success(.end): return 0
    case .failure(let failure): throw error(failure)
    }
  }

  package func send(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Int? {
    if bytes.isEmpty { return 0 }
    let outcome = locked { () throws(TLSFailure) in
      if isClosed { throw .closed }
      if sending == .ending, try !endEncryption() { return .needsWritable }
      if sending == .plain { return try sendPlain(bytes) }
      let outcome = try stream.write(bytes)
      writeNeedsReadable = outcome == .needsReadable
      return outcome
    }
    switch outcome {
    case .success(.done(let count)): return count
    case .success: return nil
    case .failure(let failure): throw error(failure)
    }
  }

  private func locked(
    _ body: () throws(TLSFailure) -> TLSStream.Outcome
  ) -> Result<TLSStream.Outcome, TLSFailure> {
    lock.withLock { _ in
      do throws(TLSFailure) { return .success(try body()) } catch { return .failure(error) }
    }
  }

  private func error(_ failure: TLSFailure) -> TransportError {
    TransportError(failure == .closed ? .closed : .broken(failure.description), peer: peer)
  }

  package var isPrivate: Bool {
    StreamSocket.peerAddress(of: socket.number).flatMap { PrivateNetwork.contains($0.host) } ?? false
  }

  package func beatHeart(everySeconds seconds: UInt64) { StreamSocket.keepAlive(socket.number, seconds: seconds) }

  // MARK: Without encryption

  package func leaveTLS() {
    lock.withLock { _ in
      if isClosed || sending != .encrypted { return }
      sending = .ending
      receiving = .ending
      writeNeedsReadable = false
      // What has no room now is sent before the next bytes, which find out about a failure, too.
      _ = try? endEncryption()
    }
  }

  /// Sends the end of the encrypted stream; false when there is no room for it yet.
  private func endEncryption() throws(TLSFailure) -> Bool {
    guard case .done = try stream.sendEnd() else { return false }
    sending = .plain
    return true
  }

  private func receivePlain(into buffer: UnsafeMutableRawBufferPointer) throws(TLSFailure) -> TLSStream.Outcome {
    do throws(Errno) {
      guard let count = try StreamSocket.receive(socket.number, into: buffer) else { return .needsReadable }
      return count == 0 ? .end : .done(count)
    } catch { throw .closed }
  }

  private func sendPlain(_ bytes: UnsafeRawBufferPointer) throws(TLSFailure) -> TLSStream.Outcome {
    do throws(Errno) {
      return try StreamSocket.send(socket.number, bytes).map { .done($0) } ?? .needsWritable
    } catch { throw .closed }
  }

  // MARK: Waiting

  package func whenReceivable(_ wake: @escaping @Sendable () -> Void) {
    lock.withLock { _ in onReceivable = wake }
    lookForBytes()
  }

  /// Wakes who waits for bytes when there are any, or has the poller look again: whichever look is the last, it is for the last
  /// that asked.
  private func lookForBytes() {
    let (needs, wake) = lock.withLock { _ -> (Poller.Interest?, (@Sendable () -> Void)?) in
      guard onReceivable != nil else { return (nil, nil) }
      let needs = receivingNeeds
      guard needs == nil else { return (needs, nil) }
      defer { onReceivable = nil }
      return (nil, onReceivable)
    }
    guard let needs else {
      wake?()
      return
    }
    socket.when(needs) { [weak self] in self?.lookForBytes() }
  }

  /// What the next read waits for; nil when it would not wait.
  private var receivingNeeds: Poller.Interest? {
    if isClosed { return nil }
    if receiving != .plain {
      // A readable socket may hold half a record, or one that is not for the reader.
      switch stream.peek() {
      case .end where receiving == .ending:
        receiving = .plain
        lastReadNeeds = nil
      case .done, .end: return nil
      case .needsReadable: return .readable
      case .needsWritable: return .writable
      }
    }
    return StreamSocket.isReceivable(socket.number) ? nil : .readable
  }

  package func whenSendable(_ wake: @escaping @Sendable () -> Void) {
    guard let needs = lock.withLock({ _ in sendingNeeds }) else { return wake() }
    socket.when(needs, wake)
  }

  /// What the next write waits for; nil when it would fail at once.
  private var sendingNeeds: Poller.Interest? { isClosed ? nil : writeNeedsReadable ? .readable : .writable }

  package func blockUntilReceivable(nanoseconds: UInt64?) throws(TransportError) -> Bool {
    let needs: Poller.Interest? = lock.withLock { _ in
      if isClosed { return nil }
      if receiving == .plain { return .readable }
      if stream.holdsDecryptedBytes { return nil }
      // What a read left behind is the beginning of a record: only the socket can bring more of it.
      return lastReadNeeds ?? (stream.holdsBytes ? nil : .readable)
    }
    return try wait(for: needs, nanoseconds: nanoseconds)
  }

  package func blockUntilSendable() throws(TransportError) {
    _ = try wait(for: lock.withLock { _ in sendingNeeds }, nanoseconds: nil)
  }

  private func wait(for interest: Poller.Interest?, nanoseconds: UInt64?) throws(TransportError) -> Bool {
    guard let interest else { return true }
    do throws(SystemError) { return try socket.wait(for: interest, nanoseconds: nanoseconds) } catch {
      throw TransportError(.broken(error.description), peer: peer)
    }
  }

  package func close() {
    let isFirst = lock.withLock { _ in
      defer {
        isClosed = true
        ticket = nil
      }
      // A peer that is gone needs no word.
      if !isClosed, sending == .encrypted { _ = try? stream.sendEnd() }
      return !isClosed
    }
    if isFirst { socket.endSending() }
  }
}
