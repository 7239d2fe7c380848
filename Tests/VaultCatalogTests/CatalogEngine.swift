import Glibc
import VaultCatalog
import VaultModel

/// A directory that goes with its last reference.
final class TemporaryDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/vault-catalog-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw TestFailure("mkdtemp: errno \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in (try? Self.names(in: path)) ?? [] { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  var names: [String] { get throws { try Self.names(in: path).sorted() } }

  private static func names(in path: String) throws -> [String] {
    guard let stream = opendir(path) else { throw TestFailure("opendir: errno \(errno)") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}

struct TestFailure: Error {
  let text: String
  init(_ text: String) { self.text = text }
}

func readFile(_ path: String) throws -> [UInt8] {
  guard let file = fopen(path, "r") else { throw TestFailure("fopen \(path): errno \(errno)") }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = fread(&chunk, 1, chunk.count, file)
    if count == 0 { return bytes }
    bytes += chunk[..<count]
  }
}

func writeFile(_ path: String, _ bytes: [UInt8]) throws {
  guard let file = fopen(path, "w") else { throw TestFailure("fopen \(path): errno \(errno)") }
  defer { fclose(file) }
  guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw TestFailure("fwrite \(path)") }
}

/// An engine that the conformance suite runs on.
enum CatalogEngine {
  case file
  case fileWithRollbackJournal
  case memoryWithSmallPages
  case server
  /// One whose sorted rows wait on the server.
  case serverThatSorts

  static let allCases: [CatalogEngine] = [.file, .fileWithRollbackJournal, .memoryWithSmallPages, .server]
  /// Those that differ in where sorted rows wait, too.
  static let sorting = allCases + [.serverThatSorts]

  static let repository = UniqueIdentifier(high: 0x1111_2222_3333_4444, low: 0x5555_6666_7777_8888)

  /// A new, empty catalog, closed after `body`.
  ///
  /// - Parameter sortByteCount: what sorted rows may take in memory; nil for what the engine has.
  func withCatalog(sortByteCount: Int? = nil, _ body: (any CatalogStore) throws -> Void) throws {
    let directory = try TemporaryDirectory()
    var options = CatalogOptions()
    if let sortByteCount { options.sortByteCount = sortByteCount }
    let catalog: any CatalogStore
    switch self {
    case .file:
      catalog = try SQLiteCatalog.open(
        path: ByteString(directory.path + "/catalog.sqlite"), mode: .createOrOpen, newRepository: Self.repository,
        options: options)
    case .fileWithRollbackJournal:
      options.journal = .rollback
      options.pageByteCount = 1024
      options.cacheByteCount = 1 << 20
      options.sortByteCount = 0
      catalog = try SQLiteCatalog.open(
        path: ByteString(directory.path + "/catalog.sqlite"), mode: .createOrOpen, newRepository: Self.repository,
        options: options)
    case .memoryWithSmallPages:
      options.pageByteCount = 512
      // Room for some rows of a selection, not for all.
      options.sortByteCount = 200
      catalog = try SQLiteCatalog.inMemory(newRepository: Self.repository, options: options)
    case .server, .serverThatSorts:
      let server = try TestServer.shared.get()
      var options = PostgreSQLOptions()
      if let bytes = self == .serverThatSorts ? 0 : sortByteCount { options.sortByteCount = bytes }
      catalog = try server.open(schema: server.newSchema(), options: options)
    }
    try body(catalog)
    try catalog.close()
  }
}
