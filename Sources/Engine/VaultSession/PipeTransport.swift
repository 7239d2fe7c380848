import Synchronization
import VaultModel

/// A transport between two roles in one process: two rings of bytes.
package final class PipeTransport: Transport {
  private let incoming: ByteRing
  private let outgoing: ByteRing
  package let peer: String

  private init(incoming: ByteRing, outgoing: ByteRing, peer: String) {
    self.incoming = incoming
    self.outgoing = outgoing
    self.peer = peer
  }

  deinit { close() }

  /// Both ends of a new pipe.
  ///
  /// - Bounds: `capacity` bytes in each direction.
  package static func pair(capacity: Int = 256 * 1024, names: (String, String) = ("pipe", "pipe")) -> (
    PipeTransport, PipeTransport
  ) {
    let there = ByteRing(capacity: capacity)
    let back = ByteRing(capacity: capacity)
    return (
      PipeTransport(incoming: back, outgoing: there, peer: names.1),
      PipeTransport(incoming: there, outgoing: back, peer: names.0)
    )
  }

  package func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportError) -> Int? {
    incoming.take(into: buffer)
  }

  package func send(_ bytes: UnsafeRawBufferPointer) throws(TransportError) -> Int? {
    guard let count = outgoing.put(bytes) else { throw TransportError(.closed, peer: peer) }
    return count > 0 || bytes.isEmpty ? count : nil
  }

  package func whenReceivable(_ wake: @escaping @Sendable () -> Void) { incoming.whenReadable(wake) }
  package func whenSendable(_ wake: @escaping @Sendable () -> Void) { outgoing.whenWritable(wake) }

  package func close() {
    outgoing.close()
    incoming.close()
  }
}

/// A bounded ring of bytes between one writer and one reader.
private final class ByteRing: @unchecked Sendable {
  // `memory` is reached only under `state`'s lock.
  private struct State {
    var head = 0
    var count = 0
    var isClosed = false
    var onReadable: (@Sendable () -> Void)?
    var onWritable: (@Sendable () -> Void)?
  }

  private let memory: UnsafeMutableRawBufferPointer
  private let state = Mutex(State())

  init(capacity: Int) { memory = .allocate(byteCount: max(1, capacity), alignment: 64) }
  deinit { memory.deallocate() }

  /// Takes what is there; 0 at the end, nil when nothing is there yet.
  func take(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    var wake: (@Sendable () -> Void)?
    let taken: Int? = state.withLock { state in
      if state.count == 0 { return state.isClosed ? 0 : nil }
      let count = min(state.count, buffer.count)
      let first = min(count, memory.count - state.head)
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[state.head..<state.head + first]))
      if count > first {
        UnsafeMutableRawBufferPointer(rebasing: buffer[first...])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<(count - first)]))
      }
      state.head = (state.head + count) % memory.count
      state.count -= count
      // A writer that waits is woken when a good part of the ring is free, not for every byte.
      if state.count <= memory.count / 2 { wake = state.onWritable.take() }
      return count
    }
    wake?()
    return taken
  }

  /// Puts what has room; nil when the ring is closed.
  func put(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var wake: (@Sendable () -> Void)?
    let put: Int? = state.withLock { state in
      if state.isClosed { return nil }
      let count = min(bytes.count, memory.count - state.count)
      guard count > 0 else { return 0 }
      let tail = (state.head + state.count) % memory.count
      let first = min(count, memory.count - tail)
      UnsafeMutableRawBufferPointer(rebasing: memory[tail...])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<first]))
      if count > first {
        memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[first..<count]))
      }
      state.count += count
      wake = state.onReadable.take()
      return count
    }
    wake?()
    return put
  }

  func whenReadable(_ wake: @escaping @Sendable () -> Void) {
    let isReady = state.withLock { state in
      if state.count > 0 || state.isClosed { return true }
      state.onReadable = wake
      return false
    }
    if isReady { wake() }
  }

  func whenWritable(_ wake: @escaping @Sendable () -> Void) {
    let isReady = state.withLock { state in
      if state.count < memory.count || state.isClosed { return true }
      state.onWritable = wake
      return false
    }
    if isReady { wake() }
  }

  func close() {
    let wakes = state.withLock { state in
      state.isClosed = true
      return [state.onReadable.take(), state.onWritable.take()]
    }
    for wake in wakes { wake?() }
  }
}
