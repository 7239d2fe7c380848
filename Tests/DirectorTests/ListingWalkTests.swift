import Testing
import VaultCatalog
import VaultModel

@testable import Director

/// What `ls` shows of a tree, and of a job that is not published.
@Suite struct ListingWalkTests {
  static let paths: [ByteString] = [
    "/a/", "/a-c/", "/a.b", "/b", "/a/b/", "/a/x", "/a/b/c", "/a/b/d", "/a-c/d", "/a/bb/", "/a/bb/e",
  ]
  /// Directories by key, so `/a/b` before `/a/bb` before `/a-c`.
  static let canonical: [ByteString] = [
    "/a", "/a-c", "/a.b", "/b", "/a/b", "/a/bb", "/a/x", "/a/b/c", "/a/b/d", "/a/bb/e", "/a-c/d",
  ]

  static func walk(_ published: Bool, _ path: ByteString?, limit: Int) throws -> [ByteString] {
    let catalog = try emptyCatalog()
    let source: SelectionSource
    if published {
      source = .state(tree: home, sequence: try catalog.publishJob(paths, of: home, ended: 5).description.sequence)
    } else {
      let job = try catalog.makeJob(of: home)
      try catalog.stage(paths, in: job)
      source = .staged(job: job.description.number)
    }
    var walk = ListingWalk(catalog: catalog, source: source, path: path)
    var rows: [StateRow] = []
    while let batch = try walk.next(limit: limit) {
      #expect(!batch.isEmpty && batch.count <= limit)
      rows += batch
    }
    return rows.map { $0.directory.appending($0.entry.name).path }
  }

  @Test(
    arguments: [
      (nil, canonical), ("/", canonical), ("/a", ["/a", "/a/b", "/a/bb", "/a/x", "/a/b/c", "/a/b/d", "/a/bb/e"]),
      ("/a/b", ["/a/b", "/a/b/c", "/a/b/d"]), ("/a/b/", ["/a/b", "/a/b/c", "/a/b/d"]), ("/a-c", ["/a-c", "/a-c/d"]),
      ("/a.b", ["/a.b"]), ("/b", ["/b"]), ("/a/x", ["/a/x"]), ("/a/bb/e", ["/a/bb/e"]), ("/c", []), ("/a/bbb", []),
      ("/a/b/c/d", []),
    ] as [(ByteString?, [ByteString])], [true, false])
  func itShowsThePathAndWhatIsBelow(_ example: (ByteString?, [ByteString]), _ published: Bool) throws {
    for limit in [1, 2, 100] {
      #expect(try Self.walk(published, example.0, limit: limit) == example.1, "limit \(limit)")
    }
  }
}
