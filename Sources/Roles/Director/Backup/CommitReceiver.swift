import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession

/// Takes commits from the storage daemon into the catalog, one transaction each. Blocks its thread.
struct CommitReceiver: ~Copyable {
  private let channel: Channel
  private let catalog: any CatalogStore
  /// Where the volumes are that the storage daemon tells of.
  private let place: String?
  /// Takes what the storage daemon tells between its commits and within.
  private let relay: (@Sendable (PeerRole, ControlLine) -> Void)?
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: FrameHeader.payloadLimit, alignment: 16)

  init(
    channel: Channel, catalog: any CatalogStore, place: String?,
    relay: (@Sendable (PeerRole, ControlLine) -> Void)? = nil
  ) {
    self.place = place
    self.relay = relay
    self.channel = channel
    self.catalog = catalog
  }

  deinit { buffer.deallocate() }

  /// Takes commits of one job until the storage daemon says that no more come.
  func receiveAll(of job: JobNumber) throws {
    while true {
      let (kind, payload) = try receive()
      switch kind {
      case .commit: try stage(try CommitFrame(decoding: payload), of: job)
      case .endOfCommits: return
      default: throw unexpected(kind)
      }
    }
  }

  /// Receives a frame; its payload is lent until the next call.
  func receive() throws -> (FrameKind, UnsafeRawBufferPointer) {
    while true {
      let header = try channel.receiveFrameHeader()
      let payload = UnsafeMutableRawBufferPointer(rebasing: buffer[..<header.payloadLength])
      try channel.receive(into: payload)
      switch header.kind {
      // The storage daemon could not go on: in its own words.
      case .jobEnd: throw PeerRefusal(try Reply(try ControlLine(payload: Array(payload))))
      case .message: relay?(.storageDaemon, try ControlLine(payload: Array(payload)))
      default: return (header.kind, UnsafeRawBufferPointer(payload))
      }
    }
  }

  func unexpected(_ kind: FrameKind) -> TransportError {
    TransportError(.malformed("a frame of kind \(kind) between commits"), peer: channel.transport.peer)
  }

  /// Stages one commit and acknowledges it once it is durable.
  func stage(_ commit: CommitFrame, of job: JobNumber) throws {
    var framesLeft = commit.frameCount
    var failure: (any Error)?
    let header = CommitHeader(
      number: commit.number, attempt: commit.attempt, volumes: commit.volumes.map { $0.at(place) })
    do {
      try catalog.stageCommit(header, of: job) { transaction in
        do { try take(&framesLeft, into: transaction) } catch {
          failure = error
          throw error
        }
      }
    } catch {
      throw failure ?? error
    }
    // A commit that the catalog has already is passed over.
    while framesLeft > 0 {
      _ = try receive()
      framesLeft -= 1
    }
    try withUnsafeBytes(of: commit.number.littleEndian) { try channel.sendFrameBlocking(.commitCatalogued, $0) }
  }

  private func take(_ framesLeft: inout UInt32, into transaction: any StagingTransaction) throws {
    var reader = try AttributeGroupReader()
    while framesLeft > 0 {
      let (kind, payload) = try receive()
      framesLeft -= 1
      switch kind {
      case .attributeGroup: try reader.feed(payload, to: transaction)
      case .groupLocations:
        for location in try LocationCodec.locations(payload) { try transaction.location(location) }
      default: throw unexpected(kind)
      }
    }
  }
}

extension Volume {
  /// The volume as the catalog knows it, in a place.
  func at(_ place: String?) -> Volume {
    var volume = self
    volume.place = place
    return volume
  }
}
