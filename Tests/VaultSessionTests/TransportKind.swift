import Synchronization
import Testing
import VaultModel
import VaultSession
import VaultSystem

/// A way to make two connected ends; every kind passes the same conformance suite.
struct TransportKind: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// Whether an end that the other side has closed refuses bytes at once; a network takes what fits its buffers.
  var refusesAtOnce = true
  /// More bytes than are under way at once.
  var moreThanItHolds: Int { refusesAtOnce ? 1 << 20 : 32 << 20 }
  let makePair: @Sendable () async throws -> (any Transport, any Transport)

  static let all = [
    TransportKind(testDescription: "TLS over IPv4", refusesAtOnce: false) {
      try await TLSFixture.shared.makePair("127.0.0.1")
    },
    TransportKind(testDescription: "TLS over IPv6", refusesAtOnce: false) {
      try await TLSFixture.shared.makePair("::1")
    },
    TransportKind(testDescription: "TCP after TLS over IPv4", refusesAtOnce: false) {
      try await TLSFixture.shared.makePlainPair("127.0.0.1")
    },
    TransportKind(testDescription: "TCP after TLS over IPv6", refusesAtOnce: false) {
      try await TLSFixture.shared.makePlainPair("::1")
    },
    TransportKind(testDescription: "pipe") { PipeTransport.pair() },
    TransportKind(testDescription: "pipe of 7 bytes") { PipeTransport.pair(capacity: 7) },
    TransportKind(testDescription: "pipe of 1 byte") { PipeTransport.pair(capacity: 1) },
    TransportKind(testDescription: "a byte at a time") {
      let (here, there) = PipeTransport.pair(capacity: 64)
      return (TrickleTransport(here), TrickleTransport(there))
    },
  ]
}

/// Counts wake-ups, and waits for them.
final class Wakes: Sendable {
  private let counter = Mutex(0)
  private let monitor = Monitor()

  var count: Int { counter.withLock { $0 } }

  func arrive() {
    counter.withLock { $0 += 1 }
    monitor.signal()
  }

  /// Whether so many wake-ups come; a test that waits in vain fails instead of hanging.
  @discardableResult
  func come(_ wanted: Int = 1) -> Bool {
    while true {
      let ticket = monitor.ticket()
      if count >= wanted { return true }
      if !monitor.wait(since: ticket, nanoseconds: 20_000_000_000) { return count >= wanted }
    }
  }
}

extension Transport {
  /// Sends as much as there is room for.
  func sendNow(_ bytes: [UInt8]) throws -> Int {
    var done = 0
    while done < bytes.count {
      let count = try bytes.withUnsafeBytes { try send(UnsafeRawBufferPointer(rebasing: $0[done...])) }
      guard let count else { break }
      done += count
    }
    return done
  }

  /// Sends everything, blocking the thread.
  func sendAll(_ bytes: [UInt8]) throws {
    var done = 0
    while done < bytes.count {
      done += try sendNow(Array(bytes[done...]))
      if done == bytes.count { return }
      let wakes = Wakes()
      whenSendable { wakes.arrive() }
      try #require(wakes.come())
    }
  }

  /// Takes as many bytes, or what there is before the end, blocking the thread.
  func receive(count: Int) throws -> [UInt8] {
    var all: [UInt8] = []
    while all.count < count {
      let (bytes, isAtEnd) = try receiveNow(limit: min(1 << 20, count - all.count), total: count - all.count)
      all += bytes
      if isAtEnd || all.count >= count { break }
      let wakes = Wakes()
      whenReceivable { wakes.arrive() }
      try #require(wakes.come())
    }
    return all
  }

  /// Takes what is there, at most `limit` bytes at a time.
  func receiveNow(limit: Int = 4096, total: Int = .max) throws -> (bytes: [UInt8], isAtEnd: Bool) {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: limit)
    while all.count < total,
      let count = try chunk.withUnsafeMutableBytes({ space in
        try receive(into: UnsafeMutableRawBufferPointer(rebasing: space.prefix(total - all.count)))
      })
    {
      if count == 0 { return (all, true) }
      all += chunk[..<count]
    }
    return (all, false)
  }

  /// Takes everything up to the end of the stream, blocking the thread.
  func receiveAll(limit: Int = 4096) throws -> [UInt8] {
    var all: [UInt8] = []
    while true {
      let (bytes, isAtEnd) = try receiveNow(limit: limit)
      all += bytes
      if isAtEnd { return all }
      let wakes = Wakes()
      whenReceivable { wakes.arrive() }
      try #require(wakes.come())
    }
  }
}

/// Bytes that tell where they belong.
func pattern(_ count: Int, seed: UInt8 = 0) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 251) &+ seed }
}
