import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// Reads blocks from the storage daemons that have them, several requests ahead, in the words of seed 001. Blocks its thread.
final class BlockFetcher {
  /// Requests that are under way at once.
  private static let window = 8
  /// No volume has longer blocks.
  private static let blockLimit = 16 << 20

  /// One block to be read.
  struct Wanted: Hashable {
    var session: UniqueIdentifier
    var volume: UniqueIdentifier
    var block: BlockAddress
  }

  /// A read session that a storage daemon opened.
  private struct OpenRead {
    var channel: Channel
    var ticket: ByteString
  }

  private struct SessionKey: Hashable {
    var session: UniqueIdentifier
    var volume: UniqueIdentifier
  }

  private let storages: StorageChannels
  private let restore: UniqueIdentifier
  private let buffers: BufferPool
  private var tickets: [SessionKey: Swift.Result<OpenRead, PeerRefusal>] = [:]

  init(storages: StorageChannels, restore: UniqueIdentifier, buffers: BufferPool) {
    self.storages = storages
    self.restore = restore
    self.buffers = buffers
  }

  /// Reads the blocks in order and hands each to `body`, or why it could not be read.
  func fetch(
    _ wanted: [Wanted], _ body: (Int, Swift.Result<PooledBuffer, PeerRefusal>) throws -> Void
  ) throws {
    // Tickets first: their requests and replies must not mix with those for blocks. Each daemon answers in the order in which it
    // was asked, and blocks are taken in the order in which all were.
    for block in wanted { try openSession(of: block) }
    var asked = 0
    for (index, block) in wanted.enumerated() {
      while asked < wanted.count, asked < index + Self.window {
        if case .success(let read)? = tickets[key(wanted[asked])] { try ask(wanted[asked], read) }
        asked += 1
      }
      switch tickets[key(block)] {
      case .success(let read)?: try body(index, try receive(from: read.channel))
      case .failure(let refusal)?: try body(index, .failure(refusal))
      case nil: throw BackupStopped()
      }
    }
  }

  /// Why blocks of a session on a volume cannot be read; nil when they can, as far as is known without reading them.
  func refusal(session: UniqueIdentifier, volume: UniqueIdentifier) throws -> PeerRefusal? {
    let block = Wanted(session: session, volume: volume, block: BlockAddress(block: 0))
    try openSession(of: block)
    if case .failure(let refusal)? = tickets[key(block)] { return refusal }
    return nil
  }

  private func key(_ block: Wanted) -> SessionKey { SessionKey(session: block.session, volume: block.volume) }

  private func openSession(of block: Wanted) throws {
    guard tickets[key(block)] == nil else { return }
    guard let channel = storages.channel(of: block.volume) else {
      tickets[key(block)] = .failure(
        Self.damage("Volume \(block.volume) is on none of the storage daemons that the director named."))
      return
    }
    try channel.sendLineBlocking(
      ControlLine(
        "read open session",
        words: [ByteString(restore.text), ByteString(block.volume.text), ByteString(block.session.text)],
        fields: [.init(key: "order", value: "any")]))
    let reply = try Reply(try channel.receiveLineBlocking())
    if reply.code == .readTicket, let ticket = reply.line["ticket"] {
      tickets[key(block)] = .success(OpenRead(channel: channel, ticket: ticket))
    } else {
      tickets[key(block)] = .failure(PeerRefusal(reply))
    }
  }

  private func ask(_ block: Wanted, _ read: OpenRead) throws {
    try read.channel.sendLineBlocking(
      ControlLine("read data", words: [read.ticket, ">", ByteString("\(block.block.file).\(block.block.block)")]))
  }

  private func receive(from channel: Channel) throws -> Swift.Result<PooledBuffer, PeerRefusal> {
    let reply = try Reply(try channel.receiveLineBlocking())
    guard reply.code == .storageOK else { return .failure(PeerRefusal(reply)) }
    let length = try channel.receiveLineBlocking()
    guard length.verb == "Length", let count = Int(try length.word(0).text ?? ""), count >= 0,
      count <= Self.blockLimit
    else { throw TransportError(.malformed("a block's length"), peer: channel.transport.peer) }
    guard count <= buffers.bufferSize else { return try passOver(count, of: channel) }
    guard let buffer = buffers.take() else { throw BackupStopped() }
    try channel.receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count]))
    buffer.count = count
    return .success(buffer)
  }

  /// Takes a block that is longer than any buffer: it costs what it holds, and the conversation stays in step.
  private func passOver(_ count: Int, of channel: Channel) throws -> Swift.Result<PooledBuffer, PeerRefusal> {
    guard let buffer = buffers.take() else { throw BackupStopped() }
    var left = count
    while left > 0 {
      let part = min(left, buffer.bytes.count)
      try channel.receive(into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<part]))
      left -= part
    }
    return .failure(
      Self.damage("A block of \(count) bytes is longer than the \(buffers.bufferSize) that can be read at once."))
  }

  /// Where a group lies in a block's payload.
  static func group(
    _ number: UInt64, in block: Swift.Result<PooledBuffer, PeerRefusal>
  ) -> Swift.Result<FetchedGroup, PeerRefusal> {
    block.flatMap { buffer in
      var offset = 0
      while offset < buffer.count {
        let rest = UnsafeRawBufferPointer(rebasing: buffer.used[offset...])
        guard let header = try? GroupHeader(decoding: rest), header.totalByteCount <= rest.count else { break }
        if header.number == number, header.kind != .commit {
          return .success(FetchedGroup(block: buffer, range: offset..<(offset + header.totalByteCount)))
        }
        offset += header.totalByteCount
      }
      return .failure(damage("The block does not hold group \(number) of its session."))
    }
  }

  /// What cannot be read, as a storage daemon would say it.
  private static func damage(_ reason: String) -> PeerRefusal {
    var reply = Reply(.storageRefused)
    reply.line.set("status", ExitStatus.damaged.rawValue)
    reply.line.set("reason", reason)
    return PeerRefusal(reply)
  }
}
