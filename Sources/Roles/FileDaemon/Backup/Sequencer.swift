import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The storage daemon ended the data channel before the job did; what it says about it can still be received.
struct StorageEnded: Error {
  let error: TransportError
}

/// The thread that numbers groups in unit order and sends them.
struct Sequencer: ~Copyable {
  private let context: BackupContext
  private let channel: Channel
  private let progress: ProgressReporter
  private var nextGroup: UInt64

  init(context: BackupContext, channel: Channel, firstGroup: UInt64, progress: ProgressReporter) {
    self.context = context
    self.channel = channel
    self.progress = progress
    nextGroup = firstGroup
  }

  /// Sends everything, then says that no more comes and waits until all of it is durable.
  mutating func run() {
    do {
      while let unit = context.order.pop() {
        try send(unit)
        // Behind a file that was cut nothing is sent: the next attempt goes on inside it.
        if unit.isCut { break }
      }
      dropRest()
      guard context.failure == nil else { return }
      try channel.sendFrameBlocking(.endOfData, UnsafeRawBufferPointer(start: nil, count: 0))
    } catch let error as TransportError {
      context.fail(StorageEnded(error: error))
    } catch {
      context.fail(error)
    }
  }

  private mutating func send(_ unit: BackupUnit) throws {
    do {
      while let slot = unit.outputs.pop() {
        context.work.wake()
        guard let group = slot.take() else { throw BackupStopped() }
        try send(group)
        progress.tick()
      }
    } catch {
      cancel(unit)
      throw error
    }
  }

  private func cancel(_ unit: BackupUnit) {
    unit.outputs.cancel()
    context.work.wake()
  }

  /// Takes what is still queued, so that nobody waits for room.
  private func dropRest() {
    while let unit = context.order.pop() { cancel(unit) }
  }

  private mutating func send(_ group: GroupSlot.Group) throws {
    var header = group.header
    header.number = nextGroup
    nextGroup += 1
    var stored = JobCounters()
    stored.bytesStored = UInt64(header.totalByteCount)
    context.add(stored)
    switch group.bytes {
    case .pooled(let buffer):
      header.encode(into: buffer.bytes)
      try channel.lendFrameBlocking(.recordGroup, buffer.used)
    case .owned(var bytes):
      try bytes.withUnsafeMutableBytes { raw in
        header.encode(into: raw)
        try channel.sendFrameBlocking(.recordGroup, UnsafeRawBufferPointer(raw))
      }
    }
  }
}
