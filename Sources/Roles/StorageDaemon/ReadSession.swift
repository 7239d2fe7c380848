import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// A read session: blocks of one session on one volume, in ascending order. Source: seed 001, "SD Read Requests".
struct ReadSession: Sendable {
  let volume: UniqueIdentifier
  let session: UniqueIdentifier
  /// The device that has the volume, once it is found.
  var device: Device?

  /// `<JobId> <Volume-id> <volume-session-id>`: the volume and the session by their UUIDs.
  init(_ line: ControlLine) throws {
    guard let volume = UniqueIdentifier(text: try line.word(1).text ?? ""),
      let session = UniqueIdentifier(text: try line.word(2).text ?? "")
    else { throw StorageError(.notFound) }
    self.volume = volume
    self.session = session
  }

  /// The block that a line `read data = <ticket> > <file>.<block>` asks for.
  func address(_ line: ControlLine) throws -> BlockAddress {
    guard try line.word(1) == ">", let text = try line.word(2).text else {
      throw ControlError(.malformedField("block"), line: line.verb)
    }
    let parts = text.split(separator: ".")
    guard parts.count == 2, let file = UInt32(parts[0]), let block = UInt32(parts[1]) else {
      throw ControlError(.malformedField("block"), line: line.verb)
    }
    return BlockAddress(file: file, block: block)
  }

  /// Answers with one block's payload, its checksum verified. Blocks its thread.
  func send(_ address: BlockAddress, to channel: Channel) throws {
    guard let device else { throw StorageError(.notFound) }
    let byteCount = try device.readBufferSize(of: volume)
    try withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 4096) { buffer in
      let payload = try device.readBlock(volume: volume, at: address, into: buffer)
      guard payload.header.session == session else { throw StorageError(.notFound) }
      var reply = Reply(.storageOK)
      reply.line.set("next", "\(payload.nextBlock.file).\(payload.nextBlock.block)")
      try channel.sendLineBlocking(reply.line)
      try channel.sendLineBlocking(ControlLine("Length", words: [ByteString(String(payload.bytes.count))]))
      try channel.sendBytesBlocking(payload.bytes)
    }
  }
}
