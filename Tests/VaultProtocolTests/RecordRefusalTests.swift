import Testing
import VaultModel
import VaultProtocol

/// Bytes that are nearly right.
@Suite struct RecordRefusalTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let golden: [UInt8]
    let offset: Int
    let bytes: [UInt8]
    let kind: FormatError.Kind
    init(_ name: String, _ golden: [UInt8], _ offset: Int, _ bytes: [UInt8], _ kind: FormatError.Kind) {
      self.name = name
      self.golden = golden
      self.offset = offset
      self.bytes = bytes
      self.kind = kind
    }
    var testDescription: String { name }
  }

  private static let negative: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]

  /// Offsets count from the record's header, which has eight bytes.
  static let cases = [
    Case("a length beyond the end", Golden.deletion, 4, [0xff, 0xff, 0xff, 0xff], .truncated),
    Case("a directory number above 2^63", Golden.directory, 8, negative, .outOfBounds),
    Case("a relative path", Golden.directory, 16, [0x65], .illegalName),
    Case("a path with an empty name", Golden.directory, 17, [0x2f], .illegalName),
    Case("an entry index above 2^63", Golden.storedEntry, 8, negative, .outOfBounds),
    Case("an unknown file type", Golden.ownEntry, 24, [99], .outOfBounds),
    Case("an unknown content form", Golden.ownEntry, 25, [4], .outOfBounds),
    Case("a regular file without content", Golden.ownEntry, 25, [0], .malformed),
    Case("a mode with a file type", Golden.ownEntry, 28, [0, 0x80, 0, 0], .outOfBounds),
    Case("too many nanoseconds", Golden.ownEntry, 60, [0xff, 0xff, 0xff, 0xff], .outOfBounds),
    Case("a size above 2^63", Golden.ownEntry, 96, negative, .outOfBounds),
    Case("unknown entry flags", Golden.ownEntry, 112, [1], .outOfBounds),
    Case("a name with a slash", Golden.ownEntry, 120, [0x2f], .illegalName),
    Case("a name with NUL", Golden.ownEntry, 121, [0], .illegalName),
    Case("an unknown digest algorithm", Golden.storedEntry, 156, [9], .outOfBounds),
    Case("unknown seal flags", Golden.storedEntry, 157, [8], .outOfBounds),
    Case("a content index above 2^63", Golden.storedEntry, 140, negative, .outOfBounds),
    Case("unknown seal flags of extents", Golden.extentsEntry, 133, [8], .outOfBounds),
    Case("more extents than bytes", Golden.extentsEntry, 136, [0xff, 0xff, 0xff, 0xff], .outOfBounds),
    Case("an extent behind the file's end", Golden.extentsEntry, 204, [0xff], .outOfBounds),
    Case("an extent behind its group's end", Golden.extentsEntry, 196, [0, 0, 0x0f, 0], .outOfBounds),
    Case("a link target with NUL", Golden.linkEntry, 132, [0], .outOfBounds),
    Case("a link without a target", Golden.linkEntry, 124, [3, 0, 0, 0], .malformed),
    Case("an unknown critical tag", Golden.linkEntry, 124, [3, 0, 1, 0], .unknownCritical(3)),
    Case("an inode flag that cannot be set", Golden.attributedEntry, 116, [0, 0, 8, 0], .outOfBounds),
    Case("a reference to attributes of no bytes", Golden.attributedEntry, 156, [0], .outOfBounds),
    Case("a reference to too many attributes", Golden.attributedEntry, 156, [0, 0, 0, 2], .outOfBounds),
    Case("a reserved field of a reference", Golden.attributedEntry, 160, [1], .malformed),
    Case("a carrier above 2^63", Golden.attributedEntry, 148, negative, .outOfBounds),
    Case("attributes behind their list's end", Golden.extendedAttributes, 16, [0xff], .outOfBounds),
    Case("a list of attributes that is too long", Golden.extendedAttributes, 20, [0, 0, 0, 2], .outOfBounds),
    Case("an unknown kind of owner", Golden.ownerName, 12, [3], .outOfBounds),
    Case("an owner's name with NUL", Golden.ownerName, 16, [0], .illegalName),
    Case(
      "content that ends above 2^63", Golden.contentData, 16, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      .outOfBounds),
    Case("a seal with a reserved byte", Golden.seal, 26, [1], .malformed),
    Case("the deletion of ..", Golden.deletion, 16, [0x2e, 0x2e, 0], .illegalName),
    Case("an unknown phase", Golden.problem, 20, [77], .outOfBounds),
    Case("an unknown level", Golden.job, 56, [4], .outOfBounds),
    Case("a base that is not before the job", Golden.job, 40, [42], .outOfBounds),
    Case("more paths than bytes", Golden.job, 60, [0xff, 0xff, 0, 0], .truncated),
    Case("too many paths", Golden.job, 60, [0xff, 0xff, 0xff, 0], .outOfBounds),
    Case("an unknown job status", Golden.jobEnd, 8, [0x7a], .outOfBounds),
    Case("a status that is no character", Golden.jobEnd, 8, [0, 0xd8], .outOfBounds),
    Case("a counter above 2^63", Golden.jobEnd, 24, negative, .outOfBounds),
    Case("commit 0", Golden.commit, 8, [0], .outOfBounds),
    Case("a commit number above 2^63", Golden.commit, 8, negative, .outOfBounds),
    Case("more ranges than bytes", Golden.commit, 32, [3], .outOfBounds),
    Case("fewer ranges than bytes", Golden.commit, 32, [1], .malformed),
    Case("a range that is empty", Golden.commit, 56, [0, 0], .malformed),
    Case("ranges with a gap", Golden.commit, 72, [0xf6, 0x01], .malformed),
    Case("attempts that do not ascend", Golden.commit, 64, [1], .malformed),
    Case("a count of dropped jobs that is not theirs", Golden.retention, 24, [3], .malformed),
    Case("a sequence above all", Golden.retention, 55, [0x80], .outOfBounds),
    Case("a label's name that is not UTF-8", Golden.label, 48, [0xff], .illegalName),
    Case("a replacement longer than it should be", Golden.replacement + [0], 4, [17], .malformed),
  ]

  @Test(arguments: cases) func refuses(_ sample: Case) {
    var bytes = sample.golden
    bytes.replaceSubrange(sample.offset..<sample.offset + sample.bytes.count, with: sample.bytes)
    #expect(refusal(bytes) == sample.kind)
  }

  @Test func emptyContentDataIsRefused() {
    #expect(refusal([3, 0, 1, 0, 16, 0, 0, 0] + [UInt8](repeating: 0, count: 16)) == .outOfBounds)
  }

  @Test(arguments: [
    ("", false), (".", false), ("..", false), ("...", true), ("a/b", false), ("a\0", false), ("a", true), (".a", true),
    (String(repeating: "x", count: 255), true), (String(repeating: "x", count: 256), false),
  ]) func names(_ name: String, _ isName: Bool) {
    #expect(Array(name.utf8).withUnsafeBytes { NameRules.isName($0) } == isName)
  }

  @Test(arguments: [
    ("/", true), ("/a", true), ("/a/b", true), ("", false), ("a", false), ("//", false), ("/a/", false),
    ("/a//b", false), ("/a/../b", false), ("/./a", false), ("/a\0", false),
  ]) func paths(_ path: String, _ isPath: Bool) {
    #expect(Array(path.utf8).withUnsafeBytes { NameRules.isAbsolutePath($0) } == isPath)
  }
}
