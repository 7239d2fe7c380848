import VaultSession

/// A transport that takes and gives one byte at a time: whoever works over it never relies on how bytes are cut.
final class TrickleTransport: Transport {
  private let whole: PipeTransport

  init(_ whole: PipeTransport) { self.whole = whole }

  var peer: String { whole.peer }

  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int? {
    try whole.receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(1)))
  }

  func send(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Int? {
    try whole.send(UnsafeRawBufferPointer(rebasing: bytes.prefix(1)))
  }

  func whenReceivable(_ wake: @escaping @Sendable () -> Void) { whole.whenReceivable(wake) }
  func whenSendable(_ wake: @escaping @Sendable () -> Void) { whole.whenSendable(wake) }
  func close() { whole.close() }
}
