import Glibc
import Synchronization
import VaultCrypto
import VaultModel
import VaultSystem

/// Bytes through TLS over a TCP connection of loopback, from one thread to another.
enum StreamMeasurement {
  /// Closed when the last thread has let go of it.
  private final class Socket: Sendable {
    let descriptor: Descriptor
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
  }

  private static let identity = Array("1 control console bench director bench".utf8)
  private static let pieceByteCount = 1 << 20

  static func run(mebibyteCount: Int) throws {
    guard let place = try SocketAddress.resolve(host: "127.0.0.1", port: 0).first else {
      throw MeasurementError("no loopback")
    }
    let listener = try StreamSocket.listen(on: place)
    guard let address = StreamSocket.localAddress(of: listener.rawValue) else {
      throw MeasurementError("the listener has no address")
    }
    let key = try PresharedKey.random()
    let byteCount = mebibyteCount << 20
    let failure = Mutex<String?>(nil)
    let sending = Socket(try StreamSocket.connect(to: address))
    try wait(listener.rawValue, POLLIN)
    guard let accepted = try StreamSocket.accept(listener.rawValue) else { throw MeasurementError("nobody called") }
    let receiving = accepted.take()
    let watch = Stopwatch()
    let sender = try WorkerThread(name: "sender") {
      do {
        try send(sending.descriptor.rawValue, key, byteCount)
      } catch { failure.withLock { $0 = "\(error)" } }
    }
    do { try receive(receiving.rawValue, key, byteCount) } catch { failure.withLock { $0 = "\(error)" } }
    sender.join()
    if let failure = failure.withLock({ $0 }) { throw MeasurementError(failure) }
    watch.report("TLS stream over loopback", byteCount, "bytes")
  }

  private static func send(_ socket: Int32, _ key: [UInt8], _ byteCount: Int) throws {
    let stream = try TLSStream(try TLSContext(), .dial(identity: identity, key: key), socket: socket)
    try shakeHands(stream, socket, key)
    let piece = [UInt8](repeating: 0x5a, count: pieceByteCount)
    var left = byteCount
    try piece.withUnsafeBytes { piece in
      while left > 0 {
        let part = UnsafeRawBufferPointer(rebasing: piece[..<min(left, piece.count)])
        switch try stream.write(part) {
        case .done(let count): left -= count
        case .needsReadable: try wait(socket, POLLIN)
        case .needsWritable: try wait(socket, POLLOUT)
        case .end: throw MeasurementError("the stream ended")
        }
      }
    }
  }

  private static func receive(_ socket: Int32, _ key: [UInt8], _ byteCount: Int) throws {
    let stream = try TLSStream(try TLSContext(), .listen, socket: socket)
    try shakeHands(stream, socket, key)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceByteCount, alignment: 4096)
    defer { memory.deallocate() }
    var left = byteCount
    while left > 0 {
      switch try stream.read(into: memory) {
      case .done(let count): left -= count
      case .needsReadable: try wait(socket, POLLIN)
      case .needsWritable: try wait(socket, POLLOUT)
      case .end: throw MeasurementError("the stream ended")
      }
    }
  }

  private static func shakeHands(_ stream: TLSStream, _ socket: Int32, _ key: [UInt8]) throws {
    while true {
      switch try stream.handshake() {
      case .done: return
      case .needsReadable: try wait(socket, POLLIN)
      case .needsWritable: try wait(socket, POLLOUT)
      case .needsKey: stream.answer(key: key)
      }
    }
  }

  /// Waits for a socket, for ten seconds at most.
  private static func wait(_ socket: Int32, _ events: Int32) throws {
    var request = pollfd(fd: socket, events: Int16(events), revents: 0)
    guard poll(&request, 1, 10_000) > 0 else { throw MeasurementError("nothing happens on the connection") }
  }
}
