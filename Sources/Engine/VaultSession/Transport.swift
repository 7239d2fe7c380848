import VaultModel
import VaultProtocol

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
}

/// A stream that cannot carry further bytes.
package struct TransportError: DescribedError, Hashable {
  package enum Kind: Hashable, Sendable {
    /// The peer ended the stream, or this side closed it, in the middle of something.
    case closed
    /// The peer sent what is no line and no frame.
    case malformed(String)
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
    case .closed, .malformed, .tooLarge: .unreachable
    case .cancelled: .interrupted
    }
  }

  package var description: String {
    switch kind {
    case .closed: "The connection to \(peer) ended before the conversation did."
    case .malformed(let what): "The peer \(peer) sent what cannot be understood: \(what)."
    case .tooLarge(let byteCount):
      "A message of \(byteCount) bytes for \(peer) was not sent: the protocol takes \(FrameHeader.payloadLimit) at most."
    case .cancelled: "The conversation with \(peer) was cancelled."
    }
  }
}
