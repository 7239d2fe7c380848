import VaultModel

/// A record as a reader sees it: byte ranges are lent from the group.
package enum Record {
  case directory(number: UInt64, path: UnsafeRawBufferPointer)
  case entry(index: UInt64, directory: UInt64, Entry)
  case contentData(index: UInt64, offset: UInt64, UnsafeRawBufferPointer)
  case seal(index: UInt64, SealedContent)
  case deletion(directory: UInt64, name: ByteString)
  case problem(directory: UInt64, name: ByteString, phase: ProblemPhase, errorNumber: Int32)
  /// A part of the list of extended attributes that the entry with `index` carries.
  case extendedAttributes(index: UInt64, offset: UInt32, total: UInt32, UnsafeRawBufferPointer)
  /// What a number means in the entries that follow; an empty name says that it has none.
  case ownerName(OwnerKind, number: UInt32, name: ByteString)
  case job(JobDescription)
  case jobEnd(JobOutcome)
  case commit(CommitRecord)
  case label(LabelRecord)
  case retention(RetentionRecord)
  /// The volume holds all that is needed of the one named.
  case replacement(of: UniqueIdentifier)
}

/// Which jobs of a tree were dropped, as a volume says it; several records of one tree are taken together.
package struct RetentionRecord: Hashable, Sendable {
  /// Sequences in one record at most.
  package static let sequenceLimit = 16_384

  /// The highest job number ever given.
  package var lastNumber: JobNumber
  package var retention: TreeRetention

  package init(lastNumber: JobNumber, retention: TreeRetention) {
    self.lastNumber = lastNumber
    self.retention = retention
  }
}

/// What a commit point covers.
package struct CommitRecord: Hashable, Sendable {
  /// The groups of one attempt that count.
  package struct Range: Hashable, Sendable {
    package var attempt: UInt32
    package var groups: ClosedRange<UInt64>
    package init(attempt: UInt32, groups: ClosedRange<UInt64>) {
      self.attempt = attempt
      self.groups = groups
    }
  }

  /// From 1, one more with each commit of the session.
  package var number: UInt64
  /// Over the digests of all groups covered; see vault-volume(5).
  package var rollingDigest: (high: UInt64, low: UInt64)
  /// Everything covered since the session began, ascending.
  package var ranges: [Range]

  package init(number: UInt64, rollingDigest: (high: UInt64, low: UInt64), ranges: [Range]) {
    self.number = number
    self.rollingDigest = rollingDigest
    self.ranges = ranges
  }

  package static func == (left: CommitRecord, right: CommitRecord) -> Bool {
    left.number == right.number && left.rollingDigest == right.rollingDigest && left.ranges == right.ranges
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(number)
    hasher.combine(ranges)
  }
}

/// What a volume's first block says of it.
package struct LabelRecord: Hashable, Sendable {
  package var repository: UniqueIdentifier
  package var labeled: Timestamp
  package var maximumBlockSize: UInt32
  package var maximumVolumeSize: UInt64
  package var name: String
  package var pool: String
  package var mediaType: String
  /// The volume whose place this one takes, once a replacement record says that it is complete; nil for none.
  package var replaced: UniqueIdentifier?

  package init(
    repository: UniqueIdentifier, labeled: Timestamp, maximumBlockSize: UInt32, maximumVolumeSize: UInt64, name: String,
    pool: String, mediaType: String, replaced: UniqueIdentifier? = nil
  ) {
    self.replaced = replaced
    self.repository = repository
    self.labeled = labeled
    self.maximumBlockSize = maximumBlockSize
    self.maximumVolumeSize = maximumVolumeSize
    self.name = name
    self.pool = pool
    self.mediaType = mediaType
  }
}

/// Walks the records of a group's raw bytes.
package struct RecordReader {
  private var reader: ByteReader
  /// The record that was read last began here.
  package private(set) var recordOffset = 0

  /// Reads from `bytes`, which outlive the reader and everything it lends.
  package init(_ bytes: UnsafeRawBufferPointer) {
    reader = ByteReader(bytes, "record")
  }

  /// The next record of a known kind; nil at the end.
  ///
  /// - Throws: `FormatError`: `.unknownCritical`, `.truncated` and what the kinds' own rules refuse.
  package mutating func next() throws(FormatError) -> Record? {
    while !reader.isAtEnd {
      recordOffset = reader.offset
      let number: UInt16 = try reader.integer()
      let flags: UInt16 = try reader.integer()
      let length: UInt32 = try reader.integer()
      let payload = try reader.take(Int(length))
      guard let kind = RecordKind(rawValue: number) else {
        if flags & RecordHeader.criticalFlag != 0 { throw reader.error(.unknownCritical(UInt32(number))) }
        continue
      }
      return try Self.decode(kind, payload)
    }
    return nil
  }

  private static func decode(_ kind: RecordKind, _ payload: UnsafeRawBufferPointer) throws(FormatError) -> Record {
    switch kind {
    case .directory:
      var reader = ByteReader(payload, "directory record")
      let number = try reader.index()
      let path = reader.takeRest()
      guard NameRules.isAbsolutePath(path) else { throw reader.error(.illegalName) }
      return .directory(number: number, path: path)
    case .entry: return try EntryCodec.decode(payload)
    case .contentData:
      var reader = ByteReader(payload, "content data record")
      let index = try reader.index()
      let offset: UInt64 = try reader.integer()
      let bytes = reader.takeRest()
      guard bytes.count > 0, bytes.count <= GroupLimits.contentDataLimit,
        offset <= UInt64(Int64.max) - UInt64(bytes.count)
      else { throw reader.error(.outOfBounds) }
      return .contentData(index: index, offset: offset, bytes)
    case .seal:
      var reader = ByteReader(payload, "seal record")
      let index = try reader.index()
      let content = try EntryCodec.sealedContent(from: &reader)
      guard reader.isAtEnd else { throw reader.error(.malformed) }
      return .seal(index: index, content)
    case .deletion:
      var reader = ByteReader(payload, "deletion record")
      let directory = try reader.index()
      return .deletion(directory: directory, name: try NameRules.name(reader.takeRest(), in: reader))
    case .problem: return try decodeProblem(payload)
    case .extendedAttributes: return try decodeExtended(payload)
    case .ownerName: return try decodeOwnerName(payload)
    case .job: return .job(try JobCodec.description(payload))
    case .jobEnd: return .jobEnd(try JobCodec.outcome(payload))
    case .commit: return .commit(try JobCodec.commit(payload))
    case .label: return .label(try JobCodec.label(payload))
    case .retention: return .retention(try JobCodec.retention(payload))
    case .replacement: return .replacement(of: try JobCodec.replacement(payload))
    }
  }

  private static func decodeExtended(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> Record {
    var reader = ByteReader(payload, "extended attributes record")
    let index = try reader.index()
    let offset: UInt32 = try reader.integer()
    let total: UInt32 = try reader.integer()
    let bytes = reader.takeRest()
    guard bytes.count > 0, bytes.count <= GroupLimits.extendedDataLimit, total <= GroupLimits.extendedListLimit,
      offset <= total, bytes.count <= Int(total - offset)
    else { throw reader.error(.outOfBounds) }
    return .extendedAttributes(index: index, offset: offset, total: total, bytes)
  }

  private static func decodeOwnerName(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> Record {
    var reader = ByteReader(payload, "owner name record")
    let number: UInt32 = try reader.integer()
    let kindNumber: UInt8 = try reader.integer()
    try reader.zeros(3)
    let name = reader.takeRest()
    guard let kind = OwnerKind(rawValue: kindNumber), name.count <= OwnerNameRules.byteLimit else {
      throw reader.error(.outOfBounds)
    }
    guard !name.contains(0) else { throw reader.error(.illegalName) }
    return .ownerName(kind, number: number, name: ByteString(name))
  }

  private static func decodeProblem(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> Record {
    var reader = ByteReader(payload, "problem record")
    let directory = try reader.index()
    let errorNumber: Int32 = try reader.integer()
    let phaseNumber: UInt8 = try reader.integer()
    try reader.zeros(3)
    guard let phase = ProblemPhase(rawValue: phaseNumber) else { throw reader.error(.outOfBounds) }
    let rest = reader.takeRest()
    // The root directory has no name: a problem with it carries an empty one.
    let name = rest.isEmpty ? ByteString("") : try NameRules.name(rest, in: reader)
    return .problem(directory: directory, name: name, phase: phase, errorNumber: errorNumber)
  }
}

/// What names of users and groups may be.
package enum OwnerNameRules {
  package static let byteLimit = 1024
}

/// What names and paths from foreign bytes may be.
package enum NameRules {
  /// Whether a name is one that a directory can hold: not empty, `.` or `..`, without `/` and NUL, at most 255 bytes.
  package static func isName(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count > 0, bytes.count <= 255 else { return false }
    if bytes[0] == 0x2e, bytes.count == 1 || (bytes.count == 2 && bytes[1] == 0x2e) { return false }
    return !bytes.contains { $0 == 0x2f || $0 == 0 }
  }

  /// Whether a path is `/`, or `/` and names joined with single slashes.
  package static func isAbsolutePath(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count > 0, bytes[0] == 0x2f else { return false }
    if bytes.count == 1 { return true }
    var start = 1
    for index in 1...bytes.count where index == bytes.count || bytes[index] == 0x2f {
      guard isName(UnsafeRawBufferPointer(rebasing: bytes[start..<index])) else { return false }
      start = index + 1
    }
    return true
  }

  static func name(_ bytes: UnsafeRawBufferPointer, in reader: ByteReader) throws(FormatError) -> ByteString {
    guard isName(bytes) else { throw reader.error(.illegalName) }
    return ByteString(bytes)
  }
}
