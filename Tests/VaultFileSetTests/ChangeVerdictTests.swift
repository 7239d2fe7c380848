import Testing
import VaultFileSet
import VaultModel

struct ChangeVerdictTests {
  enum Expected { case unchanged, attributesChanged, doubted, size, date, attributes }

  struct Case: Sendable, CustomStringConvertible {
    let name: String
    let expected: Expected
    var type = FileType.regular
    var flags: SealFlags = []
    /// Names that the file had, and has.
    var linkCount: UInt32 = 1
    let change: @Sendable (inout FileAttributes) -> Void
    var description: String { name }
  }

  static let cases: [Case] = [
    Case(name: "nothing", expected: .unchanged) { _ in },
    Case(name: "device number", expected: .unchanged) { $0.device = 99 },
    Case(name: "linked", expected: .unchanged, linkCount: 2) { _ in },
    Case(name: "linked, device number", expected: .unchanged, linkCount: 2) { $0.device = 99 },
    Case(name: "linked symbolic link", expected: .unchanged, type: .symbolicLink, linkCount: 2) { _ in },
    Case(name: "access time", expected: .unchanged) { $0.accessed.seconds += 1 },
    Case(name: "size", expected: .size) { $0.size += 1 },
    Case(name: "mtime", expected: .date) { $0.modified.nanoseconds += 1 },
    Case(name: "inode", expected: .date) { $0.inode += 1 },
    Case(name: "ctime", expected: .attributesChanged) { $0.changed.nanoseconds += 1 },
    Case(name: "mode", expected: .attributesChanged) { $0.mode = 0o600 },
    Case(name: "owner", expected: .attributesChanged) { $0.owner = 1 },
    Case(name: "group", expected: .attributesChanged) { $0.group = 1 },
    Case(name: "link count", expected: .attributesChanged) { $0.linkCount = 2 },
    Case(name: "racy", expected: .doubted, flags: .racy) { _ in },
    Case(name: "changed while reading", expected: .doubted, flags: .changedWhileReading) { _ in },
    Case(name: "racy with another mode", expected: .attributesChanged, flags: .racy) { $0.mode = 0 },
    Case(name: "racy with another size", expected: .size, flags: .racy) { $0.size += 1 },
    Case(name: "became a directory", expected: .date) { $0.type = .directory },
    Case(name: "directory: link count, size, inode", expected: .unchanged, type: .directory) {
      $0.linkCount = 9
      $0.size = 9
      $0.inode = 9
    },
    Case(name: "directory: mode", expected: .attributes, type: .directory) { $0.mode = 0 },
    Case(name: "directory: mtime", expected: .attributes, type: .directory) { $0.modified.seconds += 1 },
    Case(name: "directory: ctime", expected: .attributes, type: .directory) { $0.changed.seconds += 1 },
    Case(name: "link: ctime", expected: .attributes, type: .symbolicLink) { $0.changed.seconds += 1 },
    Case(name: "link: nothing", expected: .unchanged, type: .symbolicLink) { _ in },
    Case(name: "link: inode", expected: .date, type: .symbolicLink) { $0.inode += 1 },
    Case(name: "device node: numbers", expected: .attributes, type: .blockDevice) { $0.specialDevice += 1 },
  ]

  @Test(arguments: cases) func compares(_ test: Case) throws {
    let time = FileTime(seconds: 1000, nanoseconds: 5)
    let then = FileAttributes(
      type: test.type, mode: 0o644, device: 3, inode: 17, linkCount: test.linkCount, size: 4, modified: time,
      changed: time, accessed: time)
    var now = then
    test.change(&now)
    let sealed = SealedContent(
      size: 4, algorithm: .sha256, digest: Digest256(words: (1, 2, 3, 4)), flags: test.flags)
    let content = ContentReference.stored(ContentIdentifier(session: .none, index: 8), sealed)
    let row = ListedState.Row(
      position: CanonicalPosition(directory: DirectoryKey(path: "/d"), name: "n"), attributes: then, content: content)
    var detector = ChangeDetector(source: ListedState(rows: [row]))
    var deletions = RecordedDeletions()
    try detector.begin(DirectoryKey(path: "/d"), isComplete: true, &deletions)
    switch try detector.verdict(ByteString("n"), now, &deletions) {
    case .new: Issue.record("known")
    case .unchanged(let linked):
      #expect(test.expected == .unchanged)
      let isLinkedFile = test.linkCount > 1 && test.type == .regular
      #expect(linked == (isLinkedFile ? content : nil))
    case .attributesChanged(let known, let onlyDoubted):
      #expect(test.expected == (onlyDoubted ? .doubted : .attributesChanged) && known == content)
    case .changed(.size): #expect(test.expected == .size)
    case .changed(.date): #expect(test.expected == .date)
    case .changed(.attributes): #expect(test.expected == .attributes)
    }
    try detector.finish(&deletions)
    #expect(deletions.positions.isEmpty && detector.keptCount == 0)
  }
}
