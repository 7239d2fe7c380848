import VaultCatalog
import VaultModel

/// A seeded generator: the same seed gives the same run.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }
}

func session(_ number: UInt64) -> UniqueIdentifier { UniqueIdentifier(high: 0xabcd, low: number) }

func sealed(_ size: UInt64 = 100, digest: UInt64 = 1, flags: SealFlags = []) -> SealedContent {
  SealedContent(size: size, algorithm: .sha256, digest: Digest256(words: (digest, 2, 3, ~digest)), flags: flags)
}

func fileEntry(
  _ name: ByteString, inode: UInt64 = 7, size: UInt64 = 100, content: ContentReference = .own, links: UInt32 = 1
) -> Entry {
  Entry(
    name: name,
    attributes: FileAttributes(
      type: .regular, mode: 0o644, owner: 1000, group: 100, device: 64768, inode: inode, linkCount: links, size: size,
      modified: FileTime(seconds: 1_700_000_000, nanoseconds: 999_999_999),
      changed: FileTime(seconds: -5, nanoseconds: 1), accessed: FileTime(seconds: 0, nanoseconds: 0)),
    content: content)
}

/// A reference to the extended attributes that an entry of session 900 carried.
func extended(_ index: UInt64, digest: UInt64? = nil) -> ExtendedReference {
  ExtendedReference(
    carrier: ContentIdentifier(session: session(900), index: index), byteCount: 40,
    digest: Digest256(words: (digest ?? index, 5, 6, 7)))
}

func directoryEntry(_ name: ByteString, mode: UInt32 = 0o755) -> Entry {
  Entry(name: name, attributes: FileAttributes(type: .directory, mode: mode, inode: 3))
}

func linkEntry(_ name: ByteString, target: ByteString = "over/there", inode: UInt64 = 9, links: UInt32 = 1) -> Entry {
  Entry(
    name: name,
    attributes: FileAttributes(
      type: .symbolicLink, mode: 0o777, inode: inode, linkCount: links, size: UInt64(target.count)),
    linkTarget: target)
}

func key(_ path: ByteString) -> DirectoryKey { DirectoryKey(path: path) }

func position(_ path: ByteString) -> CanonicalPosition {
  let place = key(path).parentAndName
  return CanonicalPosition(directory: place?.parent ?? .root, name: place?.name ?? "")
}

let tree = Tree(host: "web1", name: "/etc\n/home")
let volumeA = Volume(
  identifier: UniqueIdentifier(high: 1, low: 1), name: "vol-0001", status: .append, end: BlockAddress(block: 10),
  labeled: Timestamp(nanoseconds: 5))

/// What a test's job stages, by path.
enum Staged {
  case sealed(Entry, SealedContent)
  case unsealed(Entry)
  /// An entry that needs no seal.
  case whole(Entry)
  case deletion
}

extension CatalogStore {
  /// Makes a job; sessions are numbered as jobs are.
  func makeJob(_ level: JobLevel = .full, base: UInt64 = 0, of wanted: Tree = tree) throws -> JobRecord {
    let next = UInt64(try jobs(of: nil).count) + 1
    return try createJob(
      NewJob(
        tree: wanted, level: level, baseSequence: base, session: session(next), paths: ["/etc", "/home"],
        created: Timestamp(nanoseconds: Int64(next) * 1000)))
  }

  /// Stages one commit; entry indexes go up from `index`.
  func stage(
    _ job: JobRecord, commit: UInt64 = 1, index: UInt64 = 1, _ rows: [(path: ByteString, row: Staged)],
    problems: [(path: ByteString, phase: ProblemPhase)] = [], locations: [GroupLocation] = []
  ) throws {
    try stageCommit(
      CommitHeader(number: commit, attempt: 1, volumes: [volumeA]), of: job.description.number
    ) { staging in
      var index = index
      for (path, row) in rows {
        let place = position(path)
        let directory = try staging.directory(place.directory)
        switch row {
        case .sealed(let entry, let seal):
          try staging.entry(index: index, directory: directory, entry)
          try staging.seal(index: index, seal)
        case .unsealed(let entry), .whole(let entry): try staging.entry(index: index, directory: directory, entry)
        case .deletion: try staging.deletion(directory: directory, name: place.name)
        }
        index += 1
      }
      for (path, phase) in problems {
        let place = position(path)
        try staging.problem(
          directory: try staging.directory(place.directory), name: place.name, phase: phase, errorNumber: 13)
      }
      for location in locations { try staging.location(location) }
    }
  }

  func publish(_ job: JobRecord, ended: Int64? = nil) throws {
    try publish(job.description.number, outcome: outcome(.terminated, ended ?? Int64(job.description.number) * 1000))
  }

  func outcome(_ status: JobStatus, _ ended: Int64) -> JobOutcome {
    JobOutcome(status: status, ended: Timestamp(nanoseconds: ended), counters: JobCounters())
  }

  /// A whole state, read in pages of `limit`.
  func state(_ sequence: UInt64, of wanted: Tree = tree, limit: Int = 4096) throws -> [StateRow] {
    var rows: [StateRow] = []
    var more = true
    while more {
      let last = rows.last.map { CanonicalPosition(directory: $0.directory, name: $0.entry.name) }
      more = try readState(of: wanted, sequence: sequence, after: last, limit: limit) { rows.append($0) }
    }
    return rows
  }

  func paths(_ sequence: UInt64, limit: Int = 4096) throws -> [String] {
    try state(sequence, limit: limit).map { path(of: $0) }
  }

  /// A whole pass of a selection, read in pages of `limit`.
  func selection(
    _ source: SelectionSource, _ paths: [ByteString], _ pass: SelectionPass, limit: Int = 4096
  ) throws -> [StateRow] {
    try selection(source, .paths(paths), pass, limit: limit)
  }

  func selection(
    _ source: SelectionSource, _ selection: Selection, _ pass: SelectionPass, limit: Int = 4096
  ) throws -> [StateRow] {
    var rows: [StateRow] = []
    var cursor: SelectionCursor?
    repeat {
      cursor = try readSelection(of: source, selection, pass: pass, after: cursor, limit: limit) { rows.append($0) }
    } while cursor != nil
    return rows
  }

  func entry(of tree: Tree, sequence: UInt64, at position: CanonicalPosition) throws -> Entry? {
    try entry(of: .state(tree: tree, sequence: sequence), at: position)
  }

  func readStaged(
    of job: JobNumber, after position: CanonicalPosition?, limit: Int, _ visit: (StateRow) throws -> Void
  ) throws -> Bool {
    try readRows(of: .staged(job: job), within: .root, after: position, limit: limit, visit)
  }
}

func path(of row: StateRow) -> String { row.directory.appending(row.entry.name).path.displayText }

/// Whether `body` throws a catalog error of a kind.
func throwsKind(_ kind: CatalogError.Kind, _ body: () throws -> Void) -> Bool {
  do {
    try body()
    return false
  } catch let error as CatalogError {
    return error.kind == kind
  } catch {
    return false
  }
}
