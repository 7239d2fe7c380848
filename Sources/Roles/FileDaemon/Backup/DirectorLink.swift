import Synchronization
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The file daemon's side of the conversation with the director while a backup runs.
///
/// One thread receives and hands on: state to the walker, answers to the workers, a cancel to the job.
final class DirectorLink: Sendable {
  /// Batches of state asked for ahead.
  private static let stateWindow = 2

  private let channel: Channel
  private let context: BackupContext
  private let state = BoundedQueue<PooledBatch>(capacity: DirectorLink.stateWindow + 1)
  private let answers = BoundedQueue<[ContentReference?]>(capacity: 64)
  private let asking = Mutex(())
  private let isEnding = Mutex(false)

  init(channel: Channel, context: BackupContext) {
    self.channel = channel
    self.context = context
  }

  /// Receives until the job's end; run on a thread of its own.
  func run() {
    do {
      while true {
        let header = try channel.receiveFrameHeader()
        let batch = PooledBatch(byteCount: header.payloadLength)
        try channel.receive(into: batch.bytes)
        switch header.kind {
        case .state: _ = state.push(batch)
        case .stateEnd: state.finish()
        case .inodeAnswers: _ = answers.push(try Self.answers(batch))
        case .cancel: context.stop()
        default: throw TransportError(.malformed("frame \(header.kind) in a backup"), peer: channel.transport.peer)
        }
      }
    } catch {
      if !isEnding.withLock({ $0 }) { context.fail(error) }
    }
    state.cancel()
    answers.cancel()
  }

  /// The director may end the conversation now: that is no failure.
  func end() { isEnding.withLock { $0 = true } }

  // MARK: State

  /// Asks for the first batches.
  func openState() throws {
    for _ in 0..<Self.stateWindow { try requestState() }
  }

  private func requestState() throws {
    try channel.sendFrameBlocking(.stateRequest, UnsafeRawBufferPointer(start: nil, count: 0))
  }

  /// The next batch of state records; nil at the end.
  func nextState() throws -> PooledBatch? {
    guard let batch = state.pop() else {
      if let failure = context.failure { throw failure }
      return nil
    }
    try requestState()
    return batch
  }

  // MARK: Inodes

  /// Asks which of the unit's new inodes are known under another name.
  func askInodes(of unit: BackupUnit) throws -> [ContentReference?] {
    var writer = ByteWriter()
    for item in unit.items where item.asksForInode {
      LocationCodec.writeQuestion(
        device: item.attributes.device, inode: item.attributes.inode, size: item.attributes.size,
        modified: item.attributes.modified, to: &writer)
    }
    let bytes = writer.array
    // One question at a time: answers come in the order of the questions.
    return try asking.withLock { _ in
      try bytes.withUnsafeBytes { try channel.sendFrameBlocking(.inodeQuestions, $0) }
      guard let answer = answers.pop() else { throw context.failure ?? BackupStopped() }
      return answer
    }
  }

  private static func answers(_ batch: PooledBatch) throws -> [ContentReference?] {
    var reader = ByteReader(UnsafeRawBufferPointer(batch.bytes), "inode answers frame")
    var answers: [ContentReference?] = []
    while !reader.isAtEnd { answers.append(try LocationCodec.answer(from: &reader)) }
    return answers
  }
}

/// The payload of one received frame.
final class PooledBatch: @unchecked Sendable {
  // Written by the receiving thread before it is handed over, read-only after.
  let bytes: UnsafeMutableRawBufferPointer
  init(byteCount: Int) { bytes = .allocate(byteCount: max(1, byteCount), alignment: 16).prefixed(byteCount) }
  deinit { bytes.deallocate() }
}

extension UnsafeMutableRawBufferPointer {
  fileprivate func prefixed(_ count: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: self[..<count])
  }
}
