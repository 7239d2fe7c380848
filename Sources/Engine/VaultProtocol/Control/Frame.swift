/// What a binary frame carries.
///
/// - Layout: payload length u32, kind u8, payload; little-endian; vault-protocol(7).
package enum FrameKind: UInt8, Sendable, CaseIterable {
  // Data channel, file daemon to storage daemon.
  /// Seed 001's header packet `<file-index> <stream-id> <info>` as text.
  case streamHeader = 1
  /// A record group, header and stored bytes.
  case recordGroup = 2
  /// No more groups: everything sent is to be committed.
  case endOfData = 3
  /// Bytes of the file that the header packet before announced, in order.
  case streamData = 5

  // Data channel, storage daemon to file daemon.
  /// A commit is durable: its number u64.
  case commitDurable = 4

  // Attribute channel, storage daemon to director.
  /// An attribute group of a durable commit, header and stored bytes.
  case attributeGroup = 16
  /// Where the groups of the commit lie.
  case groupLocations = 17
  /// A commit begins: its number, attempt and volumes, and how many group and location frames follow.
  case commit = 18
  /// No further commits come.
  case endOfCommits = 19
  /// Director to storage daemon: the commit is in the catalog: its number u64.
  case commitCatalogued = 20

  /// Director to storage daemon, behind a request: a job or job end record for the volume.
  case jobRecord = 21

  /// Behind a request, from console to director and from director to file daemon: paths, each a length u32 and bytes.
  case paths = 22
  /// Behind the paths of a backup: what is left out, patterns in the same form.
  case patterns = 23
  /// Director to storage daemon, behind a request: sessions that a rebuilt catalog needs.
  case neededSessions = 24
  /// Director to storage daemon, behind a request: groups of a volume that are needed.
  case neededGroups = 25
  /// Storage daemon to director: where groups of one session lie now.
  case movedGroups = 26

  // Between director and file daemon during a backup.
  /// File daemon to director: one more batch of state, please.
  case stateRequest = 32
  /// A batch of the tree's state as directory and entry records.
  case state = 33
  /// The state's last batch.
  case stateEnd = 34
  /// File daemon to director: are these inodes known under another name?
  case inodeQuestions = 35
  /// The answers, in the questions' order.
  case inodeAnswers = 36
  /// One line of progress as text.
  case progress = 37
  /// Director to file daemon: stop, and commit what was sent.
  case cancel = 38
  /// The job's end as a line of text.
  case jobEnd = 39
  /// What a backup would do with entries, from file daemon to director and on to the console.
  case changes = 40
  /// Something for the director's log, from file or storage daemon, as a line of text.
  case message = 41

  // Between director and file daemon during a restore, and director and console in a listing.
  /// File daemon to director: the next batch of the plan, please; its payload is the number of the pass.
  case planRequest = 48
  /// How many frames of plan locations follow u32, then directory and entry records.
  case plan = 49
  /// Behind a plan: a session's UUID and where groups of it lie.
  case planLocations = 54
  /// The pass is complete.
  case planEnd = 50
  /// A path that could not be restored, and why, as a line of text.
  case restoreProblem = 51
  /// Director to file daemon, behind a request: one of several storage daemons that a restore reads from.
  case storageRoute = 56
  /// Bytes of a file that is restored to standard output, in order.
  case restoredBytes = 55
  /// One batch of a listing: records or lines.
  case listing = 52
  /// The listing is complete.
  case listingEnd = 53
}

/// The five bytes before every frame's payload.
package struct FrameHeader: Hashable, Sendable {
  package static let byteCount = 5
  /// Payload bytes at most.
  package static let payloadLimit = 2 * 1024 * 1024

  package var kind: FrameKind
  package var payloadLength: Int

  package init(kind: FrameKind, payloadLength: Int) {
    self.kind = kind
    self.payloadLength = payloadLength
  }

  package func encode(into output: UnsafeMutableRawBufferPointer) {
    guard output.count >= Self.byteCount else { return }
    output.storeBytes(of: UInt32(truncatingIfNeeded: payloadLength).littleEndian, as: UInt32.self)
    output[4] = kind.rawValue
  }

  package init(decoding bytes: UnsafeRawBufferPointer) throws(FormatError) {
    var reader = ByteReader(bytes, "frame header")
    let length: UInt32 = try reader.integer()
    let number: UInt8 = try reader.integer()
    guard let kind = FrameKind(rawValue: number) else { throw reader.error(.unknownCritical(UInt32(number))) }
    guard length <= Self.payloadLimit else { throw reader.error(.outOfBounds) }
    self.kind = kind
    payloadLength = Int(length)
  }
}
