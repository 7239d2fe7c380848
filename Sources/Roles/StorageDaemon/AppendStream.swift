import VaultCrypto
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// A data channel's streams into blocks, with commit points by time and bytes. Blocks its thread.
struct AppendStream: ~Copyable {
  private let channel: Channel
  private let job: AnnouncedJob
  private let clock: any VaultClock
  private var lastCommitNanoseconds: UInt64
  /// Whether everything received so far may be committed.
  private var mayCommit = true
  private var hasHeader = false
  /// Bytes of the present frame's payload that were not received yet.
  private var unreadCount = 0

  init(channel: Channel, job: AnnouncedJob, clock: any VaultClock) {
    self.channel = channel
    self.job = job
    self.clock = clock
    lastCommitNanoseconds = clock.monotonicNanoseconds()
  }

  /// Receives until the client says that no more comes; all of it is durable then.
  ///
  /// - Throws: `TransportError` when the channel cannot go on; else frames may follow that `passOver` takes.
  mutating func run() throws {
    while true {
      try waitOrCommit()
      switch try receiveFrameHeader() {
      case .streamHeader: try receiveHeaderPacket()
      case .recordGroup where hasHeader && job.isOfGroups: try receiveGroup()
      case .streamData where hasHeader && !job.isOfGroups: try receiveData()
      case .endOfData where hasHeader && unreadCount == 0:
        try endFile()
        return try commit()
      case let kind: throw StorageError(.badData("a frame of kind \(kind) with \(unreadCount) bytes"))
      }
    }
  }

  /// Takes what the client has sent after all, for nothing, until it says that no more comes.
  mutating func passOver() throws {
    let scrap = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
    defer { scrap.deallocate() }
    while true {
      while unreadCount > 0 {
        try receive(into: UnsafeMutableRawBufferPointer(rebasing: scrap[..<min(unreadCount, scrap.count)]))
      }
      let kind = try receiveFrameHeader()
      if kind == .endOfData, unreadCount == 0 { return }
    }
  }

  private mutating func receiveFrameHeader() throws -> FrameKind {
    let header = try channel.receiveFrameHeader()
    unreadCount = header.payloadLength
    return header.kind
  }

  /// Receives a part of the frame's payload that is not longer than what is left of it.
  private mutating func receive(into space: UnsafeMutableRawBufferPointer) throws {
    try channel.receive(into: space)
    unreadCount -= space.count
  }

  // MARK: Streams

  /// Seed 001's header packet: a file begins, or record groups do.
  private mutating func receiveHeaderPacket() throws {
    guard unreadCount <= StreamHeader.byteLimit else { throw FormatError(.outOfBounds, "header packet") }
    var payload = [UInt8](repeating: 0, count: unreadCount)
    try payload.withUnsafeMutableBytes { try channel.receive(into: $0) }
    unreadCount = 0
    let header = try StreamHeader(payload)
    hasHeader = true
    switch header.content {
    case .groups:
      guard job.form == nil || job.isOfGroups else { throw StorageError(.badData("record groups behind files")) }
      job.form = .groups
    case .file(let name):
      let wrapper = try wrapper()
      try wrapper.begin(index: header.index, name: name, at: clock.now()) { try append($0) }
    }
  }

  private func wrapper() throws -> StreamWrapper {
    switch job.form {
    case .groups: throw StorageError(.badData("files behind record groups"))
    case .files(let wrapper): return wrapper
    case nil:
      let wrapper = try StreamWrapper(
        session: job.session, attempt: job.record.attempt, firstGroup: job.record.nextGroup, lastIndex: job.lastIndex)
      job.form = .files(wrapper)
      return wrapper
    }
  }

  private mutating func receiveData() throws {
    let wrapper = try wrapper()
    guard wrapper.isInFile else { throw StorageError(.badData("bytes of no file")) }
    while unreadCount > 0 {
      try wrapper.makeRoom { try append($0) }
      let room = wrapper.room
      let count = min(unreadCount, room.count)
      try receive(into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]))
      try wrapper.filled(count)
    }
  }

  private mutating func endFile() throws {
    if case .files(let wrapper) = job.form { try wrapper.end { try append($0) } }
  }

  private mutating func append(_ group: UnsafeRawBufferPointer) throws {
    try job.record.reserve(group.count).copyMemory(from: group)
    try appended(group.count)
  }

  private mutating func receiveGroup() throws {
    let byteCount = unreadCount
    guard byteCount >= GroupHeader.byteCount, byteCount <= GroupLimits.storedLimit else {
      throw FormatError(.outOfBounds, "record group frame")
    }
    try receive(into: try job.record.reserve(byteCount))
    try appended(byteCount)
  }

  /// The reserved room holds a group.
  private mutating func appended(_ byteCount: Int) throws {
    mayCommit = try job.record.append(reserved: byteCount).mayCommit
    guard mayCommit else { return }
    let elapsed = clock.monotonicNanoseconds() - lastCommitNanoseconds
    if job.record.uncommittedByteCount >= job.limits.byteCount || elapsed >= job.limits.nanoseconds
      || job.record.uncommittedAttributeByteCount >= CommitLimits.attributeByteCount
        && elapsed >= CommitLimits.attributeNanoseconds
    {
      try commit()
    }
  }

  // MARK: Commits

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
