import Glibc
import Testing
import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

@testable import FileDaemon

/// Files without a name, for what makes and names them.
enum Unnamed {
  /// A directory of the test's own, with what `body` leaves in it; on a file system whose files need no name.
  static func withTarget(
    having names: [ByteString] = [], _ body: (RestoreTarget, ByteString) async throws -> Void
  ) async throws {
    var template = Array("/dev/shm/vault-ahead-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    let path = ByteString(UnsafeRawBufferPointer(start: made, count: strlen(made)))
    let directory = try Descriptor.open(path, [.readOnly, .directory])
    defer {
      for name in (try? list(path)) ?? [] { _ = try? DirectoryNames.remove(at: directory.rawValue, name) }
      rmdir(made)
    }
    for name in names { _ = try Descriptor.open(at: directory.rawValue, name, [.readWrite, .create], mode: 0o600) }
    let target = try RestoreTarget(path: path, policy: .never)
    try #require(target.makesUnnamedFiles == names.isEmpty)
    try await body(target, path)
  }

  static func list(_ path: ByteString) throws -> [ByteString] {
    var names: [ByteString] = []
    let directory = try Descriptor.open(path, [.readOnly, .directory])
    var stream = DirectoryStream()
    try stream.forEachName(in: directory.rawValue) { name in
      names.append(ByteString(name.bytes))
      return true
    }
    return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  static func contents(
    _ count: Int, from first: UInt64 = 0, in directory: ByteString = "/", size: UInt64 = 1
  ) -> [ContentItem] {
    (first..<first + UInt64(count)).map { number in
      let content = stored(number, size: size)
      guard case .stored(let identifier, let sealed) = content else { fatalError("it is stored") }
      let entry = Entry(name: ByteString("f\(number)"), attributes: regular(1), content: content)
      let row = PlanBatch.Row(saved: directory, directory: directory, entry: entry)
      return ContentItem(identifier: identifier, sealed: sealed, isWithoutData: false, groups: [.init(rows: [row])])
    }
  }

  /// Takes a content's file, which goes.
  static func take(_ content: ContentItem) -> Bool {
    guard let file = content.takeFileAhead()?.take() else { return false }
    file.discard()
    return true
  }

  static func wait(until condition: () -> Bool) async throws {
    while !condition() {
      try Task.checkCancellation()
      await Task.yield()
    }
  }
}
