import Testing
import VaultFileSet
import VaultModel

struct ChangeVerdictTests {
  enum Expected { case unchanged, attributesChanged, changed }

  struct Case: Sendable, CustomStringConvertible {
    let name: String
    let expected: Expected
    var type = FileType.regular
    var flags: SealFlags = []
    let change: @Sendable (inout FileAttributes) -> Void
    var description: String { name }
  }

  static let cases: [Case] = [
    Case(name: "nothing", expected: .unchanged) { _ in },
    Case(name: "device number", expected: .unchanged) { $0.device = 99 },
    Case(name: "access time", expected: .unchanged) { $0.accessed.seconds += 1 },
    Case(name: "size", expected: .changed) { $0.size += 1 },
    Case(name: "mtime", expected: .changed) { $0.modified.nanoseconds += 1 },
    Case(name: "inode", expected: .changed) { $0.inode += 1 },
    Case(name: "ctime", expected: .attributesChanged) { $0.changed.nanoseconds += 1 },
    Case(name: "mode", expected: .attributesChanged) { $0.mode = 0o600 },
    Case(name: "owner", expected: .attributesChanged) { $0.owner = 1 },
    Case(name: "group", expected: .attributesChanged) { $0.group = 1 },
    Case(name: "link count", expected: .attributesChanged) { $0.linkCount = 2 },
    Case(name: "racy", expected: .attributesChanged, flags: .racy) { _ in },
    Case(name: "changed while reading", expected: .attributesChanged, flags: .changedWhileReading) { _ in },
    Case(name: "racy with another size", expected: .changed, flags: .racy) { $0.size += 1 },
    Case(name: "became a directory", expected: .changed) { $0.type = .directory },
    Case(name: "directory: link count, size, inode", expected: .unchanged, type: .directory) {
      $0.linkCount = 9
      $0.size = 9
      $0.inode = 9
    },
    Case(name: "directory: mode", expected: .changed, type: .directory) { $0.mode = 0 },
    Case(name: "directory: mtime", expected: .changed, type: .directory) { $0.modified.seconds += 1 },
    Case(name: "directory: ctime", expected: .changed, type: .directory) { $0.changed.seconds += 1 },
    Case(name: "link: ctime", expected: .changed, type: .symbolicLink) { $0.changed.seconds += 1 },
    Case(name: "link: nothing", expected: .unchanged, type: .symbolicLink) { _ in },
    Case(name: "link: inode", expected: .changed, type: .symbolicLink) { $0.inode += 1 },
    Case(name: "device node: numbers", expected: .changed, type: .blockDevice) { $0.specialDevice += 1 },
  ]

  @Test(arguments: cases) func compares(_ test: Case) throws {
    let time = FileTime(seconds: 1000, nanoseconds: 5)
    let then = FileAttributes(
      type: test.type, mode: 0o644, device: 3, inode: 17, size: 4, modified: time, changed: time, accessed: time)
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
    case .unchanged: #expect(test.expected == .unchanged)
    case .attributesChanged(let known): #expect(test.expected == .attributesChanged && known == content)
    case .changed: #expect(test.expected == .changed)
    }
    try detector.finish(&deletions)
    #expect(deletions.positions.isEmpty && detector.keptCount == 0)
  }
}
