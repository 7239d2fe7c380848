import VaultCatalog
import VaultModel
import VaultProtocol

let home = Tree(host: "web1", name: "home")
let work = Tree(host: "web1", name: "work")

func session(_ number: UInt64) -> UniqueIdentifier { UniqueIdentifier(high: 0xabcd, low: number) }

func line(_ text: String) throws -> ControlLine {
  try Array(text.utf8).withUnsafeBytes { try ControlLine(decoding: $0) }
}

func emptyCatalog() throws -> SQLiteCatalog { try .inMemory(newRepository: UniqueIdentifier(high: 1, low: 1)) }

/// A regular file's seal: its digest is its own.
func sealed(_ size: UInt64) -> SealedContent {
  SealedContent(size: size, algorithm: .sha256, digest: Digest256(words: (size, 1, 2, 3)))
}

let volume = Volume(
  identifier: UniqueIdentifier(high: 9, low: 9), name: "vol-0001", status: .append, end: BlockAddress(block: 9),
  labeled: Timestamp(nanoseconds: 1))

func location(_ group: UInt64, entry: UInt64, offset: UInt64 = 0, kind: GroupKind = .data) -> GroupLocation {
  GroupLocation(
    group: group, kind: kind, firstEntry: entry, firstOffset: offset, volume: volume.identifier,
    block: BlockAddress(block: UInt32(group) * 256), storedLength: 1000, rawLength: 2000)
}

extension CatalogStore {
  func makeJob(of tree: Tree, level: JobLevel = .full) throws -> JobRecord {
    let next = UInt64(try jobs(of: nil).count) + 1
    return try createJob(
      NewJob(
        tree: tree, level: level, baseSequence: 0, session: session(next), paths: ["/"],
        created: Timestamp(nanoseconds: Int64(next))))
  }

  /// Stages paths, those that end with a slash as directories, in one commit.
  func stage(_ paths: [ByteString], locations: [GroupLocation] = [], in job: JobRecord) throws {
    let header = CommitHeader(number: job.lastCommit + 1, attempt: 1, volumes: [volume])
    try stageCommit(header, of: job.description.number) { staging in
      for (index, path) in paths.enumerated() {
        guard let (parent, name) = DirectoryKey(path: path).parentAndName else { continue }
        let isDirectory = path.bytes.last == 0x2f
        let attributes = FileAttributes(
          type: isDirectory ? .directory : .regular, mode: 0o755, inode: UInt64(index), size: isDirectory ? 0 : 5)
        let entry = Entry(name: name, attributes: attributes, content: isDirectory ? .none : .own)
        try staging.entry(index: UInt64(index + 1), directory: try staging.directory(parent), entry)
        if !isDirectory { try staging.seal(index: UInt64(index + 1), sealed(5)) }
      }
      for location in locations { try staging.location(location) }
    }
  }

  /// A job of a tree with these paths, published at a time.
  @discardableResult
  func publishJob(_ paths: [ByteString], of tree: Tree, ended: Int64) throws -> JobRecord {
    let job = try makeJob(of: tree)
    try stage(paths, in: job)
    try publish(
      job.description.number,
      outcome: JobOutcome(status: .terminated, ended: Timestamp(nanoseconds: ended), counters: JobCounters()))
    return job
  }
}
