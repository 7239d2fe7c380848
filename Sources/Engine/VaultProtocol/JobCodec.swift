import VaultModel

/// The payloads of job, job end, commit, retention, replacement and label records; the byte tables are in vault-volume(5).
enum JobCodec {
  /// Paths asked for at most, and bytes of a string at most.
  private static let pathLimit = 65_536
  private static let stringLimit = 1 << 20

  // MARK: Counters

  /// The counters in the order of their bytes.
  private static let counterFields: [WritableKeyPath<JobCounters, UInt64> & Sendable] = [
    \.entriesSeen, \.regularFilesSeen, \.bytesSeen, \.new, \.changedSize, \.changedDate, \.changedChecksum,
    \.changedAttributes, \.deleted, \.unchanged, \.bytesRead, \.bytesKnown, \.bytesSent, \.bytesStored, \.problems,
  ]

  static func write(_ counters: JobCounters, to writer: inout ByteWriter) {
    for field in counterFields { writer.integer(counters[keyPath: field]) }
  }

  private static func counters(from reader: inout ByteReader) throws(FormatError) -> JobCounters {
    var counters = JobCounters()
    for field in counterFields { counters[keyPath: field] = try reader.index() }
    return counters
  }

  // MARK: Jobs

  static func write(_ description: JobDescription, to writer: inout ByteWriter) {
    writer.integer(description.number)
    writer.identifier(description.session)
    writer.integer(description.sequence)
    writer.integer(description.baseSequence)
    writer.integer(description.created.nanoseconds)
    writer.integer(levelNumber(description.level))
    writer.zeros(3)
    writer.integer(UInt32(truncatingIfNeeded: description.paths.count))
    string(ByteString(description.tree.host), to: &writer)
    string(description.tree.name, to: &writer)
    for path in description.paths { string(path, to: &writer) }
  }

  static func description(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> JobDescription {
    var reader = ByteReader(payload, "job record")
    let number: UInt64 = try reader.integer()
    let session = try reader.identifier()
    let sequence: UInt64 = try reader.integer()
    let baseSequence: UInt64 = try reader.integer()
    let created: Int64 = try reader.integer()
    let levelNumber: UInt8 = try reader.integer()
    try reader.zeros(3)
    let pathCount: UInt32 = try reader.integer()
    let levels: [UInt8: JobLevel] = [1: .full, 2: .differential, 3: .incremental]
    guard let level = levels[levelNumber], pathCount <= pathLimit, number <= UInt64(Int64.max),
      sequence <= UInt64(Int64.max), baseSequence < sequence
    else { throw reader.error(.outOfBounds) }
    let host = try string(from: &reader)
    let name = try string(from: &reader)
    var paths: [ByteString] = []
    for _ in 0..<pathCount { paths.append(try string(from: &reader)) }
    guard let hostText = host.text else { throw reader.error(.illegalName) }
    return JobDescription(
      number: number, session: session, tree: Tree(host: hostText, name: name), level: level, sequence: sequence,
      baseSequence: baseSequence, created: Timestamp(nanoseconds: created), paths: paths)
  }

  static func write(_ outcome: JobOutcome, to writer: inout ByteWriter) {
    writer.integer(UInt32(outcome.status.rawValue.asciiValue ?? 0))
    writer.zeros(4)
    writer.integer(outcome.ended.nanoseconds)
    write(outcome.counters, to: &writer)
  }

  static func outcome(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> JobOutcome {
    var reader = ByteReader(payload, "job end record")
    let letter: UInt32 = try reader.integer()
    try reader.zeros(4)
    let ended: Int64 = try reader.integer()
    guard let scalar = UnicodeScalar(letter), let status = JobStatus(rawValue: Character(scalar)) else {
      throw reader.error(.outOfBounds)
    }
    return JobOutcome(status: status, ended: Timestamp(nanoseconds: ended), counters: try counters(from: &reader))
  }

  private static func levelNumber(_ level: JobLevel) -> UInt8 {
    switch level {
    case .full: 1
    case .differential: 2
    case .incremental: 3
    }
  }

  // MARK: Commits and labels

  static func write(_ commit: CommitRecord, to writer: inout ByteWriter) {
    writer.integer(commit.number)
    writer.integer(commit.rollingDigest.high.byteSwapped)
    writer.integer(commit.rollingDigest.low.byteSwapped)
    writer.integer(UInt32(truncatingIfNeeded: commit.ranges.count))
    writer.zeros(4)
    for range in commit.ranges {
      writer.integer(range.attempt)
      writer.zeros(4)
      writer.integer(range.groups.lowerBound)
      writer.integer(range.groups.upperBound)
    }
  }

  static func commit(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> CommitRecord {
    var reader = ByteReader(payload, "commit record")
    let number = try reader.index()
    let high: UInt64 = try reader.integer()
    let low: UInt64 = try reader.integer()
    let count: UInt32 = try reader.integer()
    try reader.zeros(4)
    guard number > 0, Int(count) <= reader.remaining / 24 else { throw reader.error(.outOfBounds) }
    var ranges: [CommitRecord.Range] = []
    var nextGroup: UInt64 = 1
    var lastAttempt: UInt32 = 0
    for _ in 0..<count {
      let attempt: UInt32 = try reader.integer()
      try reader.zeros(4)
      let first: UInt64 = try reader.integer()
      let last: UInt64 = try reader.integer()
      guard attempt > lastAttempt, first == nextGroup, first <= last, last < UInt64(Int64.max) else {
        throw reader.error(.malformed)
      }
      ranges.append(CommitRecord.Range(attempt: attempt, groups: first...last))
      nextGroup = last + 1
      lastAttempt = attempt
    }
    guard reader.isAtEnd else { throw reader.error(.malformed) }
    return CommitRecord(number: number, rollingDigest: (high.byteSwapped, low.byteSwapped), ranges: ranges)
  }

  static func write(_ label: LabelRecord, to writer: inout ByteWriter) {
    writer.identifier(label.repository)
    writer.integer(label.labeled.nanoseconds)
    writer.integer(label.maximumVolumeSize)
    writer.integer(label.maximumBlockSize)
    for text in [label.name, label.pool, label.mediaType] { string(ByteString(text), to: &writer) }
    if let replaced = label.replaced { writer.identifier(replaced) }
  }

  static func label(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> LabelRecord {
    var reader = ByteReader(payload, "label record")
    let repository = try reader.identifier()
    let labeled: Int64 = try reader.integer()
    let maximumVolumeSize: UInt64 = try reader.integer()
    let maximumBlockSize: UInt32 = try reader.integer()
    let name = try string(from: &reader)
    let pool = try string(from: &reader)
    let mediaType = try string(from: &reader)
    let replaced = reader.isAtEnd ? nil : try reader.identifier()
    guard let nameText = name.text, let poolText = pool.text, let mediaTypeText = mediaType.text else {
      throw reader.error(.illegalName)
    }
    return LabelRecord(
      repository: repository, labeled: Timestamp(nanoseconds: labeled), maximumBlockSize: maximumBlockSize,
      maximumVolumeSize: maximumVolumeSize, name: nameText, pool: poolText, mediaType: mediaTypeText,
      replaced: replaced)
  }

  // MARK: Retention

  static func write(_ record: RetentionRecord, to writer: inout ByteWriter) {
    let retention = record.retention
    writer.integer(record.lastNumber)
    writer.integer(retention.firstKept)
    writer.integer(UInt32(truncatingIfNeeded: retention.dropped.count))
    writer.integer(UInt32(truncatingIfNeeded: retention.undone.count))
    string(ByteString(retention.tree.host), to: &writer)
    string(retention.tree.name, to: &writer)
    for sequence in retention.dropped + retention.undone { writer.integer(sequence) }
  }

  static func retention(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> RetentionRecord {
    var reader = ByteReader(payload, "retention record")
    let lastNumber = try reader.index()
    let firstKept = try reader.index()
    let droppedCount: UInt32 = try reader.integer()
    let undoneCount: UInt32 = try reader.integer()
    let host = try string(from: &reader)
    let name = try string(from: &reader)
    guard let hostText = host.text else { throw reader.error(.illegalName) }
    guard UInt64(reader.remaining) == 8 * (UInt64(droppedCount) + UInt64(undoneCount)) else {
      throw reader.error(.malformed)
    }
    var retention = TreeRetention(
      tree: Tree(host: hostText, name: name), firstKept: firstKept, dropped: [], undone: [])
    for _ in 0..<droppedCount { retention.dropped.append(try reader.index()) }
    for _ in 0..<undoneCount { retention.undone.append(try reader.index()) }
    return RetentionRecord(lastNumber: lastNumber, retention: retention)
  }

  static func replacement(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> UniqueIdentifier {
    var reader = ByteReader(payload, "replacement record")
    let replaced = try reader.identifier()
    guard reader.isAtEnd else { throw reader.error(.malformed) }
    return replaced
  }

  // MARK: Strings: length u32, bytes

  private static func string(_ bytes: ByteString, to writer: inout ByteWriter) {
    writer.integer(UInt32(truncatingIfNeeded: bytes.count))
    writer.append(bytes)
  }

  private static func string(from reader: inout ByteReader) throws(FormatError) -> ByteString {
    let length: UInt32 = try reader.integer()
    guard length <= stringLimit else { throw reader.error(.outOfBounds) }
    return ByteString(try reader.take(Int(length)))
  }
}
