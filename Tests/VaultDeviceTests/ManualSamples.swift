import VaultCrypto
import VaultDevice
import VaultModel
import VaultProtocol

/// A sample of every structure of vault-volume(5), no two fields of which have equal values.
enum ManualSamples {
  private static func record(_ body: (inout RecordWriter) -> Void) -> [UInt8] {
    var writer = RecordWriter()
    body(&writer)
    return Array(writer.bytes)
  }

  private static func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private static func hex(_ value: some FixedWidthInteger) -> String {
    withUnsafeBytes(of: value.littleEndian) { hex($0) }
  }

  private static let digest = Digest256(words: (1, 2, 3, 4))
  private static let digestHex = hex(digest.withBytes { Array($0) })
  private static let session = Fixture.sessionA
  private static let sessionHex = "a1a2a3a4a5a647a889aaabacadaeafb0"
  private static let volumeHex = "0f0e0d0c0b0a49088706050403020100"
  private static let repositoryHex = "00112233445566778899aabbccddeeff"

  private static let attributes = FileAttributes(
    type: .regular, mode: 0o4755, owner: 1001, group: 1002, device: 0x1111_2222, inode: 0x3333_4444, linkCount: 5,
    size: 12345, modified: FileTime(seconds: -7, nanoseconds: 11), changed: FileTime(seconds: 8, nanoseconds: 12),
    accessed: FileTime(seconds: 9, nanoseconds: 13), specialDevice: 0x5555, inodeFlags: .noDump)
  private static let sealed = SealedContent(size: 12345, algorithm: .sha256, digest: digest, flags: .racy)
  private static let stored = ContentReference.stored(ContentIdentifier(session: session, index: 77), sealed)
  private static let extents = ContentReference.extents(
    [Extent(session: Fixture.sessionB, group: 6, rawOffset: 24, length: 345, fileOffset: 12000)], sealed)
  private static let entry = Entry(name: "name", attributes: attributes, content: stored)
  private static let link = Entry(
    name: "link", attributes: FileAttributes(type: .symbolicLink, mode: 0o777), linkTarget: "target")

  private static let attributed = Entry(
    name: "name", attributes: attributes, content: stored,
    extended: ExtendedReference(
      carrier: ContentIdentifier(session: session, index: 78), byteCount: 21, digest: digest))

  private static let attributedRecord = record { $0.entry(index: 21, directory: 22, attributed) }
  private static let extendedList: [UInt8] = {
    var writer = ByteWriter()
    Array("user.a".utf8).withUnsafeBytes { name in
      Array("hello".utf8).withUnsafeBytes { ExtendedAttributeList.append(name: name, value: $0, to: &writer) }
    }
    return writer.array
  }()
  private static let extendedRecord = record { writer in
    extendedList.withUnsafeBytes { writer.extendedAttributes(index: 71, offset: 72, total: 100, $0) }
  }
  private static let ownerRecord = record { $0.ownerName(.group, number: 81, name: "staff") }

  private static let entryRecord = record { $0.entry(index: 21, directory: 22, entry) }
  private static let extentsRecord = record {
    $0.entry(index: 21, directory: 22, Entry(name: "name", attributes: attributes, content: extents))
  }
  private static let linkRecord = record { $0.entry(index: 21, directory: 22, link) }
  private static let contentRecord = record { writer in
    ([1, 2, 3] as [UInt8]).withUnsafeBytes { writer.contentData(index: 31, offset: 32, $0) }
  }
  private static let commit = CommitRecord(
    number: 3, rollingDigest: (5, 6),
    ranges: [CommitRecord.Range(attempt: 1, groups: 1...500), CommitRecord.Range(attempt: 4, groups: 501...777)])
  private static let job = JobDescription(
    number: 41, session: session, tree: Tree(host: "host", name: "tree"), level: .incremental, sequence: 43,
    baseSequence: 42, created: Timestamp(nanoseconds: 44), paths: ["/etc", "/home"])
  private static let replaced = UniqueIdentifier(high: 0x4142_4344_4546_4748, low: 0x5152_5354_5556_5758)
  private static let label = LabelRecord(
    repository: Fixture.repository, labeled: Timestamp(nanoseconds: 51), maximumBlockSize: 8192,
    maximumVolumeSize: 1 << 33, name: "vol-0001", pool: "Pool", mediaType: "File", replaced: replaced)

  private static var outcome: JobOutcome {
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
    return JobOutcome(status: .terminatedWithWarnings, ended: Timestamp(nanoseconds: 99), counters: counters)
  }

  /// One record of each kind.
  static let records = [
    record { $0.directory(number: 61, path: "/etc") }, entryRecord, contentRecord,
    record { $0.seal(index: 62, sealed) }, record { $0.deletion(directory: 63, name: "old") },
    record { $0.problem(directory: 64, name: "gone", phase: .list, errorNumber: 13) }, record { $0.job(job) },
    record { $0.jobEnd(outcome) }, record { $0.commit(commit) }, record { $0.label(label) }, extendedRecord,
    ownerRecord, record { $0.retention(retention) }, record { $0.replacement(of: replaced) },
  ]

  private static let retention = RetentionRecord(
    lastNumber: 71,
    retention: TreeRetention(tree: Tree(host: "host", name: "tree"), firstKept: 72, dropped: [73, 74], undone: [75]))

  private static func payload(_ index: Int) -> [UInt8] { Array(records[index][RecordHeader.byteCount...]) }

  private static let stored72 = [
    "session": sessionHex, "content index": hex(77 as UInt64), "size": hex(12345 as UInt64), "algorithm": "01",
    "flags": "04", "digest": digestHex,
  ]

  static let all: [ManualTests.Sample] = structures + attributeRecords + controlRecords

  private static let structures: [ManualTests.Sample] = [
    ManualTests.Sample(
      heading: "Block header", bytes: blockHeader,
      fields: [
        "magic": hex("VBLK".utf8), "version": "0000", "kind": "03", "checksum": hex(blockHeader[8..<16]),
        "length": hex(83 as UInt32), "attempt": hex(2 as UInt32), "volume": volumeHex, "number": hex(9 as UInt64),
        "session": sessionHex, "first group": hex(4 as UInt64), "last group": hex(6 as UInt64),
      ]),
    ManualTests.Sample(
      heading: "Group header", bytes: Array(group[..<128]),
      fields: [
        "magic": hex("VGRP".utf8), "version": "0000", "kind": "02", "codec": "00", "cipher": "00",
        "flags": hex(1 as UInt32), "session": sessionHex, "attempt": hex(2 as UInt32),
        "record count": hex(7 as UInt32), "number": hex(8 as UInt64), "first entry": hex(9 as UInt64),
        "first offset": hex(10 as UInt64), "raw length": hex(3 as UInt32), "stored length": hex(3 as UInt32),
        "key": hex(repeatElement(0, count: 16)), "nonce": hex(repeatElement(0, count: 12)), "digest": groupDigestHex,
        "checksum": hex(group[..<120].withUnsafeBytes { XXH3.checksum64($0) }),
      ]),
    ManualTests.Sample(
      heading: "Record header", bytes: Array(records[0][..<8]),
      fields: ["kind": hex(1 as UInt16), "flags": hex(1 as UInt16), "length": hex(12 as UInt32)]),
    ManualTests.Sample(heading: "Stored content", bytes: Array(entryRecord[124...]), fields: stored72),
    ManualTests.Sample(
      heading: "Extents", bytes: Array(extentsRecord[124...]),
      fields: [
        "size": hex(12345 as UInt64), "algorithm": "01", "flags": "04", "extent count": hex(1 as UInt32),
        "digest": digestHex, "extents": hex(extentsRecord[172...]),
      ]),
    ManualTests.Sample(
      heading: "Extent", bytes: Array(extentsRecord[172...]),
      fields: [
        "session": "b1b2b3b4b5b647b889babbbcbdbebfc0", "group": hex(6 as UInt64), "raw offset": hex(24 as UInt32),
        "length": hex(345 as UInt32), "file offset": hex(12000 as UInt64),
      ]),
    ManualTests.Sample(
      heading: "Tag", bytes: Array(linkRecord[124...]),
      fields: [
        "tag": hex(1 as UInt16), "flags": hex(1 as UInt16), "length": hex(6 as UInt32), "value": hex("target".utf8),
      ]),
    ManualTests.Sample(
      heading: "Reference to extended attributes", bytes: Array(attributedRecord[204...]),
      fields: [
        "session": sessionHex, "carrier": hex(78 as UInt64), "length": hex(21 as UInt32), "digest": digestHex,
      ]),
    ManualTests.Sample(
      heading: "List of extended attributes", bytes: extendedList,
      fields: [
        "value length": hex(5 as UInt32), "name length": hex(6 as UInt16), "name": hex("user.a".utf8),
        "value": hex("hello".utf8),
      ]),
    ManualTests.Sample(
      heading: "Range", bytes: Array(payload(8)[56...]),
      fields: [
        "attempt": hex(4 as UInt32), "first group": hex(501 as UInt64), "last group": hex(777 as UInt64),
      ]),
  ]

  private static let attributeRecords: [ManualTests.Sample] = [
    ManualTests.Sample(
      heading: "Directory record", bytes: payload(0), fields: ["number": hex(61 as UInt64), "path": hex("/etc".utf8)]),
    ManualTests.Sample(
      heading: "Entry record", bytes: payload(1),
      fields: [
        "index": hex(21 as UInt64), "directory": hex(22 as UInt64), "type": "01", "content form": "02",
        "name length": hex(4 as UInt16), "mode": hex(0o4755 as UInt32), "owner": hex(1001 as UInt32),
        "group": hex(1002 as UInt32), "inode": hex(0x3333_4444 as UInt64), "device": hex(0x1111_2222 as UInt64),
        "link count": hex(5 as UInt32), "mtime nanoseconds": hex(11 as UInt32), "mtime": hex(-7 as Int64),
        "ctime": hex(8 as Int64), "ctime nanoseconds": hex(12 as UInt32), "atime nanoseconds": hex(13 as UInt32),
        "atime": hex(9 as Int64), "size": hex(12345 as UInt64), "device node": hex(0x5555 as UInt64),
        "inode flags": hex(0x40 as UInt32),
        "name": hex("name".utf8), "content": hex(entryRecord[124...]), "tags": "",
      ]),
    ManualTests.Sample(
      heading: "Content data record", bytes: payload(2),
      fields: ["content index": hex(31 as UInt64), "offset": hex(32 as UInt64), "bytes": hex(contentRecord[24...])]),
    ManualTests.Sample(
      heading: "Seal record", bytes: payload(3),
      fields: [
        "index": hex(62 as UInt64), "size": hex(12345 as UInt64), "algorithm": "01", "flags": "04", "digest": digestHex,
      ]),
    ManualTests.Sample(
      heading: "Deletion record", bytes: payload(4),
      fields: ["directory": hex(63 as UInt64), "name": hex("old".utf8)]),
    ManualTests.Sample(
      heading: "Problem record", bytes: payload(5),
      fields: [
        "directory": hex(64 as UInt64), "errno": hex(13 as Int32), "phase": "04", "name": hex("gone".utf8),
      ]),
    ManualTests.Sample(
      heading: "Extended attributes record", bytes: payload(10),
      fields: [
        "index": hex(71 as UInt64), "offset": hex(72 as UInt32), "total length": hex(100 as UInt32),
        "bytes": hex(extendedList),
      ]),
    ManualTests.Sample(
      heading: "Owner name record", bytes: payload(11),
      fields: ["number": hex(81 as UInt32), "kind": "02", "name": hex("staff".utf8)]),
  ]

  private static let controlRecords: [ManualTests.Sample] = [
    ManualTests.Sample(
      heading: "Job record", bytes: payload(6),
      fields: [
        "number": hex(41 as UInt64), "session": sessionHex, "sequence": hex(43 as UInt64),
        "base sequence": hex(42 as UInt64), "created": hex(44 as Int64), "level": "03", "path count": hex(2 as UInt32),
        "host": string("host"), "tree": string("tree"), "paths": string("/etc") + string("/home"),
      ]),
    ManualTests.Sample(
      heading: "Job end record", bytes: payload(7),
      fields: [
        "status": hex(UInt32(UInt8(ascii: "W"))), "ended": hex(99 as Int64), "entries seen": hex(1 as UInt64),
        "regular files seen": hex(2 as UInt64), "bytes seen": hex(3 as UInt64), "new": hex(4 as UInt64),
        "changed by size": hex(51 as UInt64), "changed by date": hex(52 as UInt64),
        "changed by checksum": hex(53 as UInt64), "changed attributes": hex(54 as UInt64), "deleted": hex(6 as UInt64),
        "unchanged": hex(7 as UInt64), "bytes read": hex(8 as UInt64), "bytes known": hex(91 as UInt64),
        "bytes sent": hex(9 as UInt64), "bytes stored": hex(10 as UInt64),
        "problems": hex(11 as UInt64),
      ]),
    ManualTests.Sample(
      heading: "Commit record", bytes: payload(8),
      fields: [
        "number": hex(3 as UInt64), "rolling digest": "00000000000000050000000000000006",
        "range count": hex(2 as UInt32), "ranges": hex(payload(8)[32...]),
      ]),
    ManualTests.Sample(
      heading: "Retention record", bytes: payload(12),
      fields: [
        "last number": hex(71 as UInt64), "first kept": hex(72 as UInt64), "dropped count": hex(2 as UInt32),
        "undone count": hex(1 as UInt32), "host": string("host"), "tree": string("tree"),
        "dropped": hex(73 as UInt64) + hex(74 as UInt64), "undone": hex(75 as UInt64),
      ]),
    ManualTests.Sample(
      heading: "Replacement record", bytes: payload(13), fields: ["replaced": "41424344454647485152535455565758"]),
    ManualTests.Sample(
      heading: "Label record", bytes: payload(9),
      fields: [
        "repository": repositoryHex, "labelled": hex(51 as Int64), "maximum volume size": hex(1 << 33 as UInt64),
        "maximum block size": hex(8192 as UInt32), "name": string("vol-0001"), "pool": string("Pool"),
        "media type": string("File"), "replaced": "41424344454647485152535455565758",
      ]),
  ]

  private static func string(_ text: String) -> String { hex(UInt32(text.utf8.count)) + hex(text.utf8) }

  private static let blockHeader: [UInt8] = {
    var block = [UInt8](repeating: 0xee, count: 4096)
    block.withUnsafeMutableBytes {
      BlockHeader(
        kind: .groups, length: 83, attempt: 2, volume: Fixture.volume, number: 9, session: session, firstGroup: 4,
        lastGroup: 6
      ).seal($0)
    }
    return Array(block[..<80])
  }()

  private static let groupDigest = ([1, 2, 3] as [UInt8]).withUnsafeBytes { XXH3.checksum128($0) }
  private static let groupDigestHex =
    withUnsafeBytes(of: groupDigest.high.bigEndian) { hex($0) }
    + withUnsafeBytes(of: groupDigest.low.bigEndian) { hex($0) }
  private static let group: [UInt8] = {
    var bytes = [UInt8](repeating: 0xee, count: 128)
    bytes.withUnsafeMutableBytes {
      GroupHeader(
        kind: .attributes, codec: .none, flags: 1, session: session, attempt: 2, recordCount: 7, number: 8,
        firstEntry: 9, firstOffset: 10, rawLength: 3, storedLength: 3, digest: groupDigest
      ).encode(into: $0)
    }
    return bytes
  }()
}
