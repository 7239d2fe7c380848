import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// What a line `read open session` asks for.
///
/// - Layout: the seed's `<JobId> <Volume-id> <start-file> <start-block> <end-file> <end-block> <volume-session-id> [<password>]`, or
///   without the four numbers for blocks anywhere on the volume.
/// - Source: seed 001, "SD Read Requests".
struct ReadRequest: Hashable, Sendable {
  /// The volume's name or UUID.
  let volume: ByteString
  let session: UniqueIdentifier
  /// The blocks from the session's first on the volume to its last; nil for all of the volume.
  let range: ClosedRange<BlockAddress>?
  let password: ByteString?
  /// The client asks for blocks as it needs them, and several requests ahead.
  let isInAnyOrder: Bool

  init(_ line: ControlLine) throws {
    let words = line.words.dropFirst()
    isInAnyOrder = line["order"] == "any"
    if let extent = VolumeLine(words: words.prefix(VolumeLine.wordCount)), words.count <= VolumeLine.wordCount + 1 {
      volume = extent.volume
      session = extent.session
      range = extent.start...extent.end
      password = words.dropFirst(VolumeLine.wordCount).first
      return
    }
    guard words.count <= 3, let session = UniqueIdentifier(text: try line.word(2).text ?? "") else {
      throw StorageError(.notFound)
    }
    volume = try line.word(1)
    self.session = session
    range = nil
    password = words.dropFirst(2).first
  }
}

/// A read session: blocks of one session on one volume, in ascending order. Source: seed 001, "SD Read Requests".
struct ReadSession: Sendable {
  private let device: Device
  private let volume: UniqueIdentifier
  private let request: ReadRequest
  /// The block that was asked for last.
  private var last: BlockAddress?
  /// How far the volume is being read ahead.
  private var aheadEnd: UInt64 = 0
  /// What is to be read ahead before the last block is.
  private(set) var ahead: Range<UInt64>?

  /// A volume is read ahead by half of this at least.
  private static let aheadByteCount: UInt64 = 8 << 20
  /// Blocks no further apart than this are read one after another.
  private static let strideByteCount: UInt64 = 2 << 20

  var isInAnyOrder: Bool { request.isInAnyOrder }

  /// Finds the volume, and the session where it is said to begin. Blocks its thread.
  ///
  /// - Throws: `.volumeNotMounted`, `.notFound`; what reading a label throws.
  init(_ request: ReadRequest, among devices: [Device]) throws {
    let identifier = request.volume.text.flatMap { UniqueIdentifier(text: $0) }
    let found = devices.lazy.compactMap { device in
      let volume = identifier.flatMap { device.volume($0) } ?? request.volume.text.flatMap { device.volume(called: $0) }
      return volume.map { (device, $0) }
    }.first
    guard let (device, volume) = found else { throw StorageError(.volumeNotMounted(request.volume.displayText)) }
    self.init(request, device: device, volume: volume.identifier)
    // A volume that is missing or another's is refused before blocks are asked for.
    let byteCount = try device.readBufferSize(of: volume.identifier)
    guard let start = request.range?.lowerBound else { return }
    guard start.file == 0, start < volume.end else { throw StorageError(.notFound) }
    try withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 4096) { buffer in
      do {
        let block = try device.readBlock(volume: volume.identifier, at: start, into: buffer)
        guard block.header.session == request.session else { throw StorageError(.notFound) }
      } catch let error as DeviceError {
        // Where no block begins, none of the session does.
        guard case .damagedBlock(.noHeader, _) = error.kind else { throw error }
        throw StorageError(.notFound)
      }
    }
  }

  /// A session on a volume that was found.
  init(_ request: ReadRequest, device: Device, volume: UniqueIdentifier) {
    self.request = request
    self.device = device
    self.volume = volume
  }

  /// The block that a line `read data = <ticket> > <block>` asks for: its number in the file, or `<file>.<block>`.
  func address(_ line: ControlLine) throws -> BlockAddress {
    guard try line.word(1) == ">", let text = try line.word(2).text else {
      throw ControlError(.malformedField("block"), line: line.verb)
    }
    let numbers = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt32($0) }
    switch (numbers.count, numbers.first ?? nil, numbers.last ?? nil) {
    case (1, let block?, _): return BlockAddress(file: request.range?.lowerBound.file ?? 0, block: block)
    case (2, let file?, let block?): return BlockAddress(file: file, block: block)
    default: throw ControlError(.malformedField("block"), line: line.verb)
    }
  }

  /// Notes that a block is asked for.
  ///
  /// - Throws: `.blockOrder` for one before the last, or before the first that the session was opened with.
  mutating func advance(to address: BlockAddress) throws(StorageError) {
    if !isInAnyOrder, let least = [last, request.range?.lowerBound].compactMap({ $0 }).max(), address < least {
      throw StorageError(.blockOrder(least))
    }
    lookAhead(from: address)
    last = address
  }

  /// Decides what is read ahead: where blocks come one after another, the system would wait for the medium at each.
  private mutating func lookAhead(from address: BlockAddress) {
    ahead = nil
    guard let last, last.file == address.file, last < address,
      address.byteOffset - last.byteOffset <= Self.strideByteCount
    else {
      aheadEnd = 0
      return
    }
    let end = address.byteOffset + Self.aheadByteCount
    let start = max(aheadEnd, address.byteOffset)
    guard end >= start + Self.aheadByteCount / 2 else { return }
    ahead = start..<end
    aheadEnd = end
  }

  /// Answers with one block's payload, its checksum verified. Blocks its thread.
  func send(_ address: BlockAddress, to channel: Channel, _ memory: BlockMemory) throws {
    guard let end = device.volume(volume)?.end, address < end else { throw StorageError(.endOfVolume) }
    if let range = request.range, address > range.upperBound { throw StorageError(.endOfFile) }
    let buffer = memory.room(try device.readBufferSize(of: volume))
    if let ahead { device.beginReading(volume: volume, ahead) }
    let payload = try device.readBlock(volume: volume, at: address, into: buffer)
    let next = "\(payload.nextBlock.file).\(payload.nextBlock.block)"
    guard payload.header.session == request.session else {
      // Another session's: only where it ends is told.
      var reply = Reply.refusing(StorageError(.notFound))
      reply.line.set("next", next)
      return try channel.sendLineBlocking(reply.line)
    }
    var reply = Reply(.storageOK)
    reply.line.set("next", next)
    try channel.sendLineBlocking(reply.line)
    try channel.sendLineBlocking(ControlLine("Length", words: [ByteString(String(payload.bytes.count))]))
    try channel.lendBytesBlocking(payload.bytes)
  }
}
