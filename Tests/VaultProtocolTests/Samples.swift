import VaultCrypto
import VaultModel
import VaultProtocol

/// The values that the golden bytes stand for.
enum Sample {
  static let sessionA = UniqueIdentifier(high: 0xa1a2_a3a4_a5a6_47a8, low: 0x89aa_abac_adae_afb0)
  static let sessionB = UniqueIdentifier(high: 0xb1b2_b3b4_b5b6_47b8, low: 0x89ba_bbbc_bdbe_bfc0)
  static let digest = Digest256(
    words: (0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f, 0x1011_1213_1415_1617, 0x1819_1a1b_1c1d_1e1f))

  static func attributes(
    _ type: FileType = .regular, size: UInt64 = 12345, mode: UInt32 = 0o4755, linkCount: UInt32 = 2
  ) -> FileAttributes {
    FileAttributes(
      type: type, mode: mode, owner: 1000, group: 100, device: 0x8899_aabb, inode: 0x1122_3344_5566_7788,
      linkCount: linkCount, size: size, modified: FileTime(seconds: -1, nanoseconds: 999_999_999),
      changed: FileTime(seconds: 1_700_000_000, nanoseconds: 1),
      accessed: FileTime(seconds: 1_700_000_001, nanoseconds: 2))
  }

  static func sealed(_ algorithm: DigestAlgorithm, _ flags: SealFlags) -> SealedContent {
    SealedContent(size: 12345, algorithm: algorithm, digest: digest, flags: flags)
  }

  static let storedEntry = Entry(
    name: ByteString([0x6e, 0xc3, 0xa9, 0xff]), attributes: attributes(),
    content: .stored(ContentIdentifier(session: sessionA, index: 5), sealed(.sha256, .racy)))
  static let ownEntry = Entry(name: "file", attributes: attributes(), content: .own)
  static let extentsEntry = Entry(
    name: "file", attributes: attributes(),
    content: .extents(
      [Extent(session: sessionB, group: 77, rawOffset: 24, length: 345, fileOffset: 12000)],
      sealed(.sha256OfExtents, .changedWhileReading)))
  static let linkEntry = Entry(
    name: "link", attributes: attributes(.symbolicLink, size: 9, mode: 0o777, linkCount: 1), linkTarget: "../target")

  static var attributedEntry: Entry {
    var attributes = attributes()
    attributes.inodeFlags = [.immutable, .noDump, InodeFlags(rawValue: 0x80)]
    return Entry(
      name: "file", attributes: attributes, content: .own,
      extended: ExtendedReference(
        carrier: ContentIdentifier(session: sessionA, index: 5), byteCount: 21, digest: digest))
  }

  static let job = JobDescription(
    number: 42, session: sessionA, tree: Tree(host: "host", name: "tree"), level: .incremental, sequence: 42,
    baseSequence: 41, created: Timestamp(nanoseconds: 1_700_000_000_123_456_789), paths: ["/etc", "/home"])

  static var outcome: JobOutcome {
    var counters = JobCounters()
    counters.entriesSeen = 1
    counters.regularFilesSeen = 2
    counters.bytesSeen = 3
    counters.new = 4
    counters.changedSize = 51
    counters.changedDate = 52
    counters.changedChecksum = 53
    counters.changedAttributes = 54
    counters.deleted = 6
    counters.unchanged = 7
    counters.bytesRead = 8
    counters.bytesKnown = 91
    counters.bytesSent = 9
    counters.bytesStored = 10
    counters.problems = 11
    return JobOutcome(
      status: .terminated, ended: Timestamp(nanoseconds: 1_700_000_100_000_000_000), counters: counters)
  }

  static let commit = CommitRecord(
    number: 3, rollingDigest: (0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f),
    ranges: [
      CommitRecord.Range(attempt: 1, groups: 1...500), CommitRecord.Range(attempt: 2, groups: 501...777),
    ])

  static let retention = RetentionRecord(
    lastNumber: 41,
    retention: TreeRetention(
      tree: Tree(host: "host", name: "tree"), firstKept: 17, dropped: [18, 20], undone: [23]))

  static let label = LabelRecord(
    repository: UniqueIdentifier(high: 0x0011_2233_4455_6677, low: 0x8899_aabb_ccdd_eeff),
    labeled: Timestamp(nanoseconds: 1_700_000_000_000_000_000), maximumBlockSize: 1 << 20,
    maximumVolumeSize: 4095 << 20, name: "vol-0001", pool: "Default", mediaType: "File")

  static let replaced = UniqueIdentifier(high: 0x0f0e_0d0c_0b0a_4908, low: 0x8706_0504_0302_0100)

  /// The label of a volume that takes another's place.
  static var replacingLabel: LabelRecord {
    var replacing = label
    replacing.replaced = replaced
    return replacing
  }
}

/// Writes records and returns their bytes.
func written(_ body: (inout RecordWriter) -> Void) -> [UInt8] {
  var writer = RecordWriter()
  body(&writer)
  return Array(writer.bytes)
}

/// Writes a record that was read.
func write(_ record: Record, to writer: inout RecordWriter) {
  switch record {
  case .directory(let number, let path): writer.directory(number: number, path: ByteString(path))
  case .entry(let index, let directory, let entry): writer.entry(index: index, directory: directory, entry)
  case .contentData(let index, let offset, let bytes): writer.contentData(index: index, offset: offset, bytes)
  case .seal(let index, let content): writer.seal(index: index, content)
  case .deletion(let directory, let name): writer.deletion(directory: directory, name: name)
  case .problem(let directory, let name, let phase, let errorNumber):
    writer.problem(directory: directory, name: name, phase: phase, errorNumber: errorNumber)
  case .extendedAttributes(let index, let offset, let total, let bytes):
    writer.extendedAttributes(index: index, offset: offset, total: total, bytes)
  case .ownerName(let kind, let number, let name): writer.ownerName(kind, number: number, name: name)
  case .job(let job): writer.job(job)
  case .jobEnd(let outcome): writer.jobEnd(outcome)
  case .commit(let commit): writer.commit(commit)
  case .label(let label): writer.label(label)
  case .retention(let retention): writer.retention(retention)
  case .replacement(let volume): writer.replacement(of: volume)
  }
}

/// Reads all records and writes them again.
func rewritten(_ bytes: [UInt8]) throws(FormatError) -> [UInt8] {
  let result: Result<[UInt8], FormatError> = bytes.withUnsafeBytes { bytes in
    var reader = RecordReader(bytes)
    var writer = RecordWriter()
    do throws(FormatError) {
      while let record = try reader.next() { write(record, to: &writer) }
      return .success(Array(writer.bytes))
    } catch { return .failure(error) }
  }
  return try result.get()
}

/// The kind of error that reading records ends with; nil when it does not.
func refusal(_ bytes: [UInt8]) -> FormatError.Kind? {
  do throws(FormatError) {
    _ = try rewritten(bytes)
    return nil
  } catch { return error.kind }
}
