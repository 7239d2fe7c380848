import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// A data channel's stream of record groups into blocks, with commit points by time and bytes. Blocks its thread.
struct AppendStream: ~Copyable {
  private let channel: Channel
  private let job: AnnouncedJob
  private let clock: any VaultClock
  private var lastCommitNanoseconds: UInt64
  /// Whether everything received so far may be committed.
  private var mayCommit = true

  init(channel: Channel, job: AnnouncedJob, clock: any VaultClock) {
    self.channel = channel
    self.job = job
    self.clock = clock
    lastCommitNanoseconds = clock.monotonicNanoseconds()
  }

  /// Receives until the file daemon says that no more comes; all of it is durable then.
  mutating func run() throws {
    try receiveHeaderPacket()
    while true {
      try waitOrCommit()
      let header = try channel.receiveFrameHeader()
      switch header.kind {
      case .recordGroup: try receiveGroup(header.payloadLength)
      case .endOfData:
        try commit()
        return
      default: throw unexpected(header.kind)
      }
    }
  }

  private func unexpected(_ kind: FrameKind) -> TransportError {
    TransportError(.malformed("a frame of kind \(kind) on a data channel"), peer: channel.transport.peer)
  }

  /// Seed 001's header packet `<file-index> <stream-id> <info>`; stream 64 announces record groups.
  private func receiveHeaderPacket() throws {
    let header = try channel.receiveFrameHeader()
    guard header.kind == .streamHeader, header.payloadLength <= 1024 else { throw unexpected(header.kind) }
    var payload = [UInt8](repeating: 0, count: header.payloadLength)
    try payload.withUnsafeMutableBytes { try channel.receive(into: $0) }
    let words = payload.split(separator: 0x20)
    guard words.count >= 2, String(decoding: words[1], as: UTF8.self) == "64" else {
      throw TransportError(.malformed("a stream other than record groups"), peer: channel.transport.peer)
    }
  }

  private mutating func receiveGroup(_ byteCount: Int) throws {
    guard byteCount >= GroupHeader.byteCount, byteCount <= GroupLimits.storedLimit else {
      throw FormatError(.outOfBounds, "record group frame")
    }
    try channel.receive(into: try job.record.reserve(byteCount))
    mayCommit = try job.record.append(reserved: byteCount).mayCommit
    guard mayCommit else { return }
    let elapsed = clock.monotonicNanoseconds() - lastCommitNanoseconds
    if job.record.uncommittedByteCount >= job.limits.byteCount || elapsed >= job.limits.nanoseconds { try commit() }
  }

  /// While nothing arrives, what is there is committed when its time has come.
  private mutating func waitOrCommit() throws {
    guard mayCommit, job.record.uncommittedByteCount > 0 else { return }
    let elapsed = clock.monotonicNanoseconds() - lastCommitNanoseconds
    let left = job.limits.nanoseconds > elapsed ? job.limits.nanoseconds - elapsed : 0
    if try !channel.waitForBytes(nanoseconds: max(left, 1_000_000)) { try commit() }
  }

  private mutating func commit() throws {
    lastCommitNanoseconds = clock.monotonicNanoseconds()
    guard job.record.uncommittedByteCount > 0 else { return }
    let result = try job.record.commit()
    try withUnsafeBytes(of: result.number.littleEndian) { try channel.sendFrameBlocking(.commitDurable, $0) }
    guard job.commits.push(result) else { throw StorageError(.sessionAborted("the director is gone")) }
  }
}
