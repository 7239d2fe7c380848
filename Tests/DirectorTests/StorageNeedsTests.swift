import Testing
import VaultCatalog
import VaultModel
import VaultProtocol

@testable import Director

/// Which storage daemons a restore needs, by where groups lie.
@Suite struct StorageNeedsTests {
  private static let volumes = (1...3).map { number in
    Volume(
      identifier: UniqueIdentifier(high: 7, low: UInt64(number)), name: "vol-\(number)", status: .append,
      end: BlockAddress(block: 9), labeled: Timestamp(nanoseconds: 1))
  }

  private static func group(_ number: UInt64, entry: UInt64, on volume: Int, kind: GroupKind = .data) -> GroupLocation {
    GroupLocation(
      group: number, kind: kind, firstEntry: entry, firstOffset: 0, volume: volumes[volume].identifier,
      block: BlockAddress(block: UInt32(number)), storedLength: 100, rawLength: 100)
  }

  /// A full backup on the first volume, and an incremental of one file on the second, whose extended attributes lie on the third.
  private func catalog() throws -> (catalog: SQLiteCatalog, source: SelectionSource) {
    let catalog = try emptyCatalog()
    let full = try catalog.makeJob(of: home)
    try stage(["/a/", "/a/old", "/a/new"], [Self.group(1, entry: 1, on: 0)], in: full, catalog)
    let next = try catalog.createJob(
      NewJob(
        tree: home, level: .incremental, baseSequence: full.description.sequence, session: session(2), paths: ["/"],
        created: Timestamp(nanoseconds: 2)))
    try stage(
      ["/a/new"], [Self.group(1, entry: 1, on: 1), Self.group(2, entry: 1, on: 2, kind: .attributes)], in: next, catalog
    )
    return (catalog, .state(tree: home, sequence: next.description.sequence))
  }

  private func stage(
    _ paths: [ByteString], _ locations: [GroupLocation], in job: JobRecord, _ catalog: SQLiteCatalog
  ) throws {
    let header = CommitHeader(number: 1, attempt: 1, volumes: Self.volumes)
    try catalog.stageCommit(header, of: job.description.number) { staging in
      for (index, path) in paths.enumerated() {
        guard let (parent, name) = DirectoryKey(path: path).parentAndName else { continue }
        let isDirectory = path.bytes.last == 0x2f
        let attributes = FileAttributes(
          type: isDirectory ? .directory : .regular, mode: 0o755, inode: UInt64(index), size: isDirectory ? 0 : 5)
        var entry = Entry(name: name, attributes: attributes, content: isDirectory ? .none : .own)
        if locations.contains(where: { $0.kind == .attributes }) {
          let carrier = ContentIdentifier(session: job.description.session, index: 1)
          entry.extended = ExtendedReference(carrier: carrier, byteCount: 5, digest: Digest256(words: (1, 2, 3, 4)))
        }
        try staging.entry(index: UInt64(index + 1), directory: try staging.directory(parent), entry)
        if !isDirectory { try staging.seal(index: UInt64(index + 1), sealed(5)) }
      }
      for location in locations {
        try staging.location(location)
        if location.kind == .attributes { try staging.extendedAttributes(index: 1, group: location.group) }
      }
    }
    try catalog.publish(
      job.description.number,
      outcome: JobOutcome(status: .terminated, ended: Timestamp(nanoseconds: 9), counters: JobCounters()))
  }

  @Test(
    arguments: [
      ([], false, [0, 1, 2]), (["/a/old"], false, [0]), (["/a/new"], false, [1, 2]), (["/a/new"], true, [1]),
      (["/nowhere"], false, []),
    ] as [([ByteString], Bool, Set<Int>)])
  func whatIsNeeded(_ paths: [ByteString], _ isContentOnly: Bool, _ expected: Set<Int>) throws {
    let (catalog, source) = try catalog()
    var needs = StorageNeeds(catalog: catalog, storages: Self.volumes.map { [$0.identifier] })
    #expect(try needs.find(in: source, .paths(paths), isContentOnly: isContentOnly) { false } == expected)
  }

  @Test func aVolumeThatNobodyHasNeedsNobody() throws {
    let (catalog, source) = try catalog()
    var needs = StorageNeeds(catalog: catalog, storages: [[Self.volumes[1].identifier], []])
    #expect(try needs.find(in: source, .paths([]), isContentOnly: false) { false } == [0])
  }

  @Test func aCancelEndsTheSearch() throws {
    let (catalog, source) = try catalog()
    var needs = StorageNeeds(catalog: catalog, storages: Self.volumes.map { [$0.identifier] })
    #expect(throws: DirectorError.interrupted) {
      try needs.find(in: source, .paths([]), isContentOnly: false) { true }
    }
  }
}
