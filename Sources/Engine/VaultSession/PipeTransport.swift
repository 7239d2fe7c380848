import Synchronization
import VaultModel
import VaultSystem

/// A transport between two roles in one process: two rings of bytes.
package final class PipeTransport: LendingTransport {
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

  package func lend(_ bytes: UnsafeRawBufferPointer) throws(TransportError) {
    guard outgoing.lend(bytes) else { throw TransportError(.closed, peer: peer) }
  }

  package func whenReceivable(_ wake: @escaping @Sendable () -> Void) { incoming.whenReadable(wake) }
  package func whenSendable(_ wake: @escaping @Sendable () -> Void) { outgoing.whenWritable(wake) }

  package func close() {
    outgoing.close()
    incoming.close()
  }
}

/// A bounded ring of bytes between one writer and one reader. The writer may also lend bytes, which go behind those in the ring.
private final class ByteRing: @unchecked Sendable {
  // `memory` is reached only under `state`'s lock; what is lent stays until its lender has seen the loan end.
  private struct Loan {
    var address: UInt
    var count: Int
    /// The reader copies from it now, without the lock.
    var isBeingTaken = false
  }

  private struct State {
    var head = 0
    var count = 0
    var loan: Loan?
    var isClosed = false

    var isReadable: Bool { count > 0 || isClosed || loan?.isBeingTaken == false }
    var onReadable: (@Sendable () -> Void)?
    var onWritable: (@Sendable () -> Void)?
  }

  private let memory: UnsafeMutableRawBufferPointer
  private let state = Mutex(State())
  /// Tells the lender that his loan may have ended.
  private let loanEnded = Monitor()

  init(capacity: Int) { memory = .allocate(byteCount: max(1, capacity), alignment: 64) }
  deinit { memory.deallocate() }

  /// Takes what is there; 0 at the end, nil when nothing is there yet.
  func take(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
    var wake: (@Sendable () -> Void)?
    var lent: Loan?
    let taken: Int? = state.withLock { state in
      if state.count == 0 {
        if state.isClosed { return 0 }
        guard state.loan?.isBeingTaken == false else { return nil }
        state.loan?.isBeingTaken = true
        lent = state.loan
        return nil
      }
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
    return lent.map { take($0, into: buffer) } ?? taken
  }

  /// Copies from a loan that nobody else takes.
  private func take(_ loan: Loan, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(loan.count, buffer.count)
    buffer.copyMemory(from: UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: loan.address), count: count))
    let wake: (@Sendable () -> Void)? = state.withLock { state in
      let isWhole = count == loan.count
      state.loan = isWhole ? nil : Loan(address: loan.address + UInt(count), count: loan.count - count)
      return isWhole ? state.onWritable.take() : nil
    }
    loanEnded.signal()
    wake?()
    return count
  }

  /// Lets the reader take bytes from where they are, blocking the thread until he has; false when the ring was closed before.
  func lend(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return true }
    let loan = Loan(address: UInt(bitPattern: start), count: bytes.count)
    var hasBegun = false
    while true {
      let ticket = loanEnded.ticket()
      var wake: (@Sendable () -> Void)?
      let isOver: Bool? = state.withLock { state in
        if let present = state.loan {
          // What is being copied from must stay.
          guard hasBegun, state.isClosed, !present.isBeingTaken else { return nil }
          state.loan = nil
          return false
        }
        if hasBegun { return true }
        if state.isClosed { return false }
        state.loan = loan
        hasBegun = true
        wake = state.onReadable.take()
        return nil
      }
      wake?()
      if let isOver { return isOver }
      loanEnded.wait(since: ticket)
    }
  }

  /// Puts what has room; nil when the ring is closed.
  func put(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var wake: (@Sendable () -> Void)?
    let put: Int? = state.withLock { state in
      if state.isClosed { return nil }
      // Bytes that are lent go before.
      let count = state.loan == nil ? min(bytes.count, memory.count - state.count) : 0
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
      if state.isReadable { return true }
      state.onReadable = wake
      return false
    }
    if isReady { wake() }
  }

  func whenWritable(_ wake: @escaping @Sendable () -> Void) {
    let isReady = state.withLock { state in
      if (state.count < memory.count && state.loan == nil) || state.isClosed { return true }
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
    loanEnded.signal()
    for wake in wakes { wake?() }
  }
}
