import Testing
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// A channel over each kind of transport, with the bare other end.
func channel(over kind: TransportKind) async throws -> (channel: Channel, peer: any Transport) {
  let (here, there) = try await kind.makePair()
  return (Channel(here), there)
}

/// Sends bytes from a thread of their own and then, if asked, ends the stream.
func feed(_ bytes: [UInt8], to peer: any Transport, andEnd: Bool = false) throws {
  let thread = try WorkerThread(name: "feeder") {
    try? peer.sendAll(bytes)
    if andEnd { peer.close() }
  }
  thread.detach()
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

func frame(_ kind: FrameKind, _ payload: [UInt8]) -> [UInt8] {
  var header = [UInt8](repeating: 0, count: FrameHeader.byteCount)
  header.withUnsafeMutableBytes { FrameHeader(kind: kind, payloadLength: payload.count).encode(into: $0) }
  return header + payload
}

/// How a receiver waits.
enum Waiting: CaseIterable {
  case task
  case thread
}

extension Channel {
  func line(_ waiting: Waiting) async throws -> ControlLine? {
    switch waiting {
    case .task: try await receiveLine()
    case .thread: try await onThread(name: "receiver") { try self.receiveLineBlocking() }
    }
  }

  func frame(_ waiting: Waiting) async throws -> (kind: FrameKind, payload: [UInt8]) {
    switch waiting {
    case .task: try await receiveFrame()
    case .thread:
      try await onThread(name: "receiver") {
        let header = try self.receiveFrameHeader()
        var payload = [UInt8](repeating: 0, count: header.payloadLength)
        try payload.withUnsafeMutableBytes { try self.receive(into: $0) }
        return (header.kind, payload)
      }
    }
  }
}

/// The kind of transport error that `body` throws; nil when it throws none.
func transportFailure<Result>(_ body: () async throws -> Result) async -> TransportError.Kind? {
  do {
    _ = try await body()
    return nil
  } catch let error as TransportError {
    return error.kind
  } catch {
    return nil
  }
}

extension TransportError.Kind {
  var isMalformed: Bool {
    if case .malformed = self { true } else { false }
  }
}
