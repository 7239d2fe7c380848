import VaultDevice
import VaultModel
import VaultProtocol
import VaultSession

/// A commit on its way to the director: one that was just made, or one that recovery found.
struct OutgoingCommit: Sendable {
  var number: UInt64
  var attempt: UInt32
  var groups: [GroupLocation]
  /// Where in its block each of them is; empty when that is not known.
  var places: [GroupPlace] = []
  var volumes: [Volume]

  init(_ commit: CommitResult) {
    (number, attempt, groups, volumes) = (commit.number, commit.attempt, commit.groups, commit.volumes)
    places = commit.places
  }

  init(_ commit: RecoveredCommit) {
    (number, attempt, groups, volumes) = (commit.number, commit.attempt, commit.groups, commit.volumes)
  }
}

/// Hands durable commits to the director: attribute groups re-read from the volume, and where all groups lie. Blocks its thread.
struct CommitSender: ~Copyable {
  private let channel: Channel
  private let device: Device
  private let buffer: UnsafeMutableRawBufferPointer

  init(channel: Channel, device: Device) {
    self.channel = channel
    self.device = device
    buffer = .allocate(byteCount: BlockHeader.maximumBlockSizes.upperBound, alignment: 4096)
  }

  deinit { buffer.deallocate() }

  /// Sends one commit and waits until it is in the director's catalog.
  func send(_ commit: OutgoingCommit) throws {
    let attributeCount = commit.groups.count { $0.kind == .attributes }
    let perFrame = LocationCodec.locationsPerFrame
    let locationFrames = (commit.groups.count + perFrame - 1) / perFrame
    let header = CommitFrame(
      number: commit.number, attempt: commit.attempt, frameCount: UInt32(attributeCount + locationFrames),
      volumes: commit.volumes)
    try header.encoded().withUnsafeBytes { try channel.sendFrameBlocking(.commit, $0) }
    try commit.places.isEmpty ? sendGroups(ofBlocks: commit) : sendGroups(of: commit)
    for start in stride(from: 0, to: commit.groups.count, by: perFrame) {
      var writer = ByteWriter(capacity: 64 * 1024)
      for location in commit.groups[start..<min(start + perFrame, commit.groups.count)] {
        LocationCodec.write(location, to: &writer)
      }
      try channel.sendFrameBlocking(.groupLocations, writer.bytes)
    }
    try awaitCatalogued(commit.number)
  }

  /// Sends the attribute groups, and reads nothing but these.
  private func sendGroups(of commit: OutgoingCommit) throws {
    for (location, place) in zip(commit.groups, commit.places) where location.kind == .attributes {
      let group = try device.readGroup(location, at: place, into: buffer)
      try channel.sendFrameBlocking(.attributeGroup, group.bytes)
    }
  }

  /// Sends the attribute groups of whole blocks; one that holds several is read once.
  private func sendGroups(ofBlocks commit: OutgoingCommit) throws {
    var block: BlockPayload?
    var last: GroupLocation?
    for location in commit.groups where location.kind == .attributes {
      if last?.block != location.block || last?.volume != location.volume {
        block = try device.readBlock(volume: location.volume, at: location.block, into: buffer)
      }
      last = location
      guard let group = try block?.group(location.group) else {
        throw DeviceError(.damagedBlock(.malformedContent, location.block))
      }
      try channel.sendFrameBlocking(.attributeGroup, group.bytes)
    }
  }

  func end() throws { try channel.sendFrameBlocking(.endOfCommits, UnsafeRawBufferPointer(start: nil, count: 0)) }

  private func awaitCatalogued(_ number: UInt64) throws {
    let header = try channel.receiveFrameHeader()
    var acknowledged: UInt64 = 0
    guard header.kind == .commitCatalogued, header.payloadLength == 8 else {
      throw TransportError(.malformed("no acknowledgement of a commit"), peer: channel.transport.peer)
    }
    try withUnsafeMutableBytes(of: &acknowledged) { try channel.receive(into: $0) }
    guard UInt64(littleEndian: acknowledged) == number else {
      throw TransportError(.malformed("an acknowledgement of another commit"), peer: channel.transport.peer)
    }
  }
}
