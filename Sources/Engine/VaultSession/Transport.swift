import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSystem

/// A two-way stream of bytes to a peer: the seam between what is said and what carries it.
///
/// No call blocks. Implementations: `PipeTransport` in one process; TLS over TCP for daemons. Safe to use from several threads, but bytes of
/// two concurrent senders may mix: `Channel` keeps them apart.
package protocol Transport: AnyObject, Sendable {
  /// Takes bytes that have arrived into a buffer that is not empty.
  ///
  /// - Returns: how many bytes; 0 when the peer ended the stream; nil when nothing is there now.
  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int?

  /// Gives bytes to be carried.
  ///
  /// - Returns: how many bytes were taken; nil when there is no room now.
  func send(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Int?

  /// Calls `wake` once, when `receive` would not return nil; at once if that is now. A later call replaces it.
  func whenReceivable(_ wake: @escaping @Sendable () -> Void)

  /// Calls `wake` once, when `send` would not return nil; at once if that is now. A later call replaces it.
  ///
  /// Who was told to wait is woken at the latest when the peer has taken everything: a transport may save wake-ups.
  func whenSendable(_ wake: @escaping @Sendable () -> Void)

  /// Ends the stream in both directions: the peer receives what was sent and then the end; both sides' later sends fail.
  func close()

  /// The peer for a log line: an address, or "pipe".
  var peer: String { get }

  /// What the peer was authenticated as when it dialled; nil where nothing was dialled over a network.
  var peerIdentity: ByteString? { get }

  /// Where on this machine the peer is connected to; nil where there is no network.
  var localAddress: SocketAddress? { get }

  /// How the peer has proved who it is; nil where nobody has to, inside one process.
  var peerAuthentication: PeerAuthentication? { get }

  /// Whether nobody outside of this machine, its links and private networks is on the way to the peer.
  var isPrivate: Bool { get }

  /// Goes on without encryption, once both sides agreed to it: what either sends from now on can be read and altered on its way.
  func leaveTLS()

  /// Changes after how many seconds without a byte the network shows a sign of life of this side; 0 for never.
  func beatHeart(everySeconds seconds: UInt64)
}

extension Transport {
  package var localAddress: SocketAddress? { nil }
  package var peerIdentity: ByteString? { nil }
  package var peerAuthentication: PeerAuthentication? { nil }
  package var isPrivate: Bool { true }
  package func leaveTLS() {}
  package func beatHeart(everySeconds seconds: UInt64) {}
}

/// A transport that lets a thread wait for the system itself, without another thread in between.
package protocol ThreadWaitingTransport: Transport {
  /// Blocks the thread until `receive` may return something; false when the time passed.
  func blockUntilReceivable(nanoseconds: UInt64?) throws(TransportError) -> Bool

  /// Blocks the thread until `send` may take something.
  func blockUntilSendable() throws(TransportError)
}

/// A transport whose peer can take bytes from where they lie at the sender.
package protocol LendingTransport: Transport {
  /// Blocks the thread until the peer has taken all bytes; those sent before arrive before them. One thread lends at a time.
  ///
  /// - Throws: `.closed` when the peer takes no more of them.
  func lend(_ bytes: UnsafeRawBufferPointer) throws(TransportError)
}

/// A stream that cannot carry further bytes.
package struct TransportError: DescribedError, Hashable {
  package enum Kind: Hashable, Sendable {
    /// The peer ended the stream, or this side closed it, in the middle of something.
    case closed
    /// The peer sent what is no line and no frame.
    case malformed(String)
    /// The transport failed underneath: what it says of it, a sentence.
    case broken(String)
    /// The two sides cannot prove to each other who they are, as they are configured: why, a sentence.
    case refused(String)
    /// Nobody listens there, or the network does not lead there: the system's reason.
    case unreachable(String)
    /// The peer was not connected and authenticated in time.
    case timedOut(seconds: UInt64)
    /// The peer took or gave nothing for so long that it counts as lost.
    case silent(seconds: UInt64)
    /// A message of this many bytes is longer than the peer takes; it was not sent.
    case tooLarge(Int)
    case cancelled
  }

  package let kind: Kind
  /// The peer.
  package let peer: String

  package init(_ kind: Kind, peer: String) {
    self.kind = kind
    self.peer = peer
  }

  package var exitStatus: ExitStatus {
    switch kind {
    case .closed, .malformed, .broken, .refused, .unreachable, .timedOut, .silent, .tooLarge: .unreachable
    case .cancelled: .interrupted
    }
  }

  package var description: String {
    switch kind {
    case .closed: "The connection to \(peer) ended before the conversation did."
    case .malformed(let what): "The peer \(peer) sent what cannot be understood: \(what)."
    case .broken(let reason), .refused(let reason): "The connection to \(peer) failed. \(reason)"
    case .unreachable(let reason): "\(peer) cannot be reached: \(reason)."
    case .timedOut(let seconds): "\(peer) did not answer within \(seconds) seconds."
    case .silent(let seconds): "\(peer) has given no sign of life for \(seconds) seconds: it counts as lost."
    case .tooLarge(let byteCount):
      "A message of \(byteCount) bytes for \(peer) was not sent: the protocol takes \(FrameHeader.payloadLimit) at most."
    case .cancelled: "The conversation with \(peer) was cancelled."
    }
  }
}
