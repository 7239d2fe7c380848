import CLinux
import SystemPackage
import VaultModel

/// A TCP socket, non-blocking from the first call.
package enum StreamSocket {
  /// A connection that was accepted.
  package struct Accepted: ~Copyable {
    package let descriptor: Descriptor
    package let peer: SocketAddress

    /// Gives the descriptor away.
    package consuming func take() -> Descriptor { descriptor }
  }

  /// A socket that listens; an IPv6 one takes IPv6 only, so that both families can be listened on side by side.
  ///
  /// - Parameter heartbeatSeconds: see `keepAlive`; the system gives accepted connections what their listener has.
  package static func listen(
    on address: SocketAddress, heartbeatSeconds: UInt64 = 0, backlog: Int32 = 256
  ) throws(SystemError) -> Descriptor {
    let socket = try open(address)
    let one: Int32 = 1
    try set(socket.rawValue, SOL_SOCKET, SO_REUSEADDR, one, address)
    if address.family == AF_INET6 { try set(socket.rawValue, Int32(IPPROTO_IPV6), IPV6_V6ONLY, one, address) }
    guard address.withSystemForm({ bind(socket.rawValue, $0, $1) }) == 0 else { throw .current("bind", address.text) }
    keepAlive(socket.rawValue, seconds: heartbeatSeconds)
    guard CLinux.listen(socket.rawValue, backlog) == 0 else { throw .current("listen", address.text) }
    return socket
  }

  /// The address that a socket has on this machine: the port that was given when 0 was asked for.
  package static func localAddress(of socket: Int32) -> SocketAddress? {
    address { getsockname(socket, $0, $1) }
  }

  /// The address of the other end; nil when there is none any more.
  package static func peerAddress(of socket: Int32) -> SocketAddress? {
    address { getpeername(socket, $0, $1) }
  }

  /// The next connection of a listening socket; nil when none waits.
  ///
  /// - Throws: EMFILE and the like, when the connection stays in the queue.
  package static func accept(_ listener: Int32) throws(Errno) -> Accepted? {
    while true {
      var number: Int32 = -1
      let peer = address { form, length in
        number = vault_accept4(listener, form, length)
        return min(0, number)
      }
      if number >= 0 {
        let descriptor = Descriptor(owning: number)
        // A connection without an address was gone before it came.
        guard let peer else { continue }
        prepare(number)
        return Accepted(descriptor: descriptor, peer: peer)
      }
      switch Errno(rawValue: currentErrorNumber()) {
      case .wouldBlock: return nil
      // Errors of the connection, not of the listener.
      case .interrupted, .connectionAbort, .protocolError, .networkDown, .hostIsDown, .noRouteToHost,
        .networkUnreachable:
        continue
      case let error: throw error
      }
    }
  }

  /// A socket that is being connected: when it is writable, `connectionError` tells how it went.
  ///
  /// - Parameter heartbeatSeconds: see `keepAlive`.
  package static func connect(
    to address: SocketAddress, from source: SocketAddress? = nil, heartbeatSeconds: UInt64 = 0
  ) throws(SystemError) -> Descriptor {
    let socket = try open(address)
    keepAlive(socket.rawValue, seconds: heartbeatSeconds)
    if let source {
      guard source.withSystemForm({ bind(socket.rawValue, $0, $1) }) == 0 else { throw .current("bind", source.text) }
    }
    prepare(socket.rawValue)
    let result = address.withSystemForm { CLinux.connect(socket.rawValue, $0, $1) }
    guard result == 0 || currentErrorNumber() == EINPROGRESS || currentErrorNumber() == EINTR else {
      throw .current("connect", address.text)
    }
    return socket
  }

  /// Why a connection could not be made; nil when it was.
  package static func connectionError(of socket: Int32) -> Errno? {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else {
      return Errno(rawValue: currentErrorNumber())
    }
    return code == 0 ? nil : Errno(rawValue: code)
  }

  /// Says that nothing more is sent; the peer's bytes are still received.
  package static func endSending(_ socket: Int32) { _ = shutdown(socket, Int32(SHUT_WR)) }

  /// Ends both directions at once; whoever waits for the socket is woken.
  package static func end(_ socket: Int32) { _ = shutdown(socket, Int32(SHUT_RDWR)) }

  /// Takes bytes that have arrived; 0 at the stream's end, nil when nothing is there now.
  package static func receive(_ socket: Int32, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
    try transferred(retryingOnInterrupt { recv(socket, buffer.baseAddress, buffer.count, 0) })
  }

  /// Gives bytes to be sent, possibly fewer than all; nil when there is no room now.
  package static func send(_ socket: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int? {
    try transferred(
      retryingOnInterrupt { CLinux.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) })
  }

  /// Whether a receive would give bytes, the end or an error now.
  package static func isReceivable(_ socket: Int32) -> Bool {
    var byte: UInt8 = 0
    return retryingOnInterrupt { recv(socket, &byte, 1, Int32(MSG_PEEK)) } >= 0
      || currentErrorNumber() != EAGAIN
  }

  private static func transferred(_ count: Int) throws(Errno) -> Int? {
    if count >= 0 { return count }
    let error = Errno(rawValue: currentErrorNumber())
    if error == .wouldBlock { return nil }
    throw error
  }

  /// Takes what arrived and throws it away; false at the stream's end.
  package static func discard(_ socket: Int32) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { space in
      while true {
        let count = recv(socket, space.baseAddress, space.count, 0)
        if count == 0 { return false }
        if count < 0 {
          if currentErrorNumber() == EINTR { continue }
          return currentErrorNumber() == EAGAIN
        }
      }
    }
  }

  /// Waits until a socket is ready for reading or writing or a wake-up was signalled, blocking the thread; false when the time passed.
  ///
  /// - Parameter milliseconds: -1 for ever.
  package static func wait(
    _ socket: Int32, or wakeUp: WakeUp, for interest: Poller.Interest, milliseconds: Int32
  ) -> Bool {
    withUnsafeTemporaryAllocation(of: pollfd.self, capacity: 2) { requests in
      requests.initializeElement(
        at: 0, to: pollfd(fd: socket, events: Int16(interest == .readable ? POLLIN : POLLOUT), revents: 0))
      requests.initializeElement(at: 1, to: pollfd(fd: wakeUp.number, events: Int16(POLLIN), revents: 0))
      return retryingOnInterrupt { poll(requests.baseAddress, 2, milliseconds) } > 0
    }
  }

  private static func open(_ address: SocketAddress) throws(SystemError) -> Descriptor {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let number = socket(address.family, kind, 0)
    guard number >= 0 else { throw .current("socket", address.text) }
    return Descriptor(owning: number)
  }

  /// Small messages go at once.
  private static func prepare(_ socket: Int32) { change(socket, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

  /// Lets the system ask a peer that is silent for so long for a sign of life, again and again: what lies between the two sees a
  /// connection in use, and one whose peer does not answer ends. 0 asks nothing, as the system has it.
  ///
  /// - Bounds: the system takes up to 32,767 seconds.
  package static func keepAlive(_ socket: Int32, seconds: UInt64) {
    change(socket, SOL_SOCKET, SO_KEEPALIVE, seconds > 0 ? 1 : 0)
    guard seconds > 0 else { return }
    change(socket, Int32(IPPROTO_TCP), TCP_KEEPIDLE, Int32(clamping: seconds))
    change(socket, Int32(IPPROTO_TCP), TCP_KEEPINTVL, Int32(clamping: seconds))
  }

  /// A socket that refuses works without.
  private static func change(_ socket: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    _ = setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func set(
    _ socket: Int32, _ level: Int32, _ option: Int32, _ value: Int32, _ address: SocketAddress
  ) throws(SystemError) {
    var value = value
    guard setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
      throw .current("setsockopt", address.text)
    }
  }

  private static func address(
    _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutableBytes(of: &storage) { raw in
      guard let base = raw.baseAddress, call(base.assumingMemoryBound(to: sockaddr.self), &length) == 0 else {
        return nil
      }
      return SocketAddress([UInt8](raw.prefix(Int(length))))
    }
  }
}
