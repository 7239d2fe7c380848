import Glibc
import SystemPackage
import Testing
import VaultDevice
import VaultModel

/// A directory of its own that goes away with it.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/vault-device-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != ".", name != ".." { unlink("\(path)/\(name)") }
      }
      closedir(directory)
    }
    rmdir(path)
  }
}

/// What every store must do, whatever it is made of.
@Suite struct VolumeStoreConformanceTests {
  enum StoreKind: CaseIterable, Sendable {
    case memory, file

    /// A new store, and what must live as long as it.
    func make() throws -> (any VolumeStore, TemporaryDirectory?) {
      switch self {
      case .memory: return (MemoryVolumeStore(), nil)
      case .file:
        let directory = try TemporaryDirectory()
        return (try FileVolumeStore(directory: ByteString(directory.path)), directory)
      }
    }
  }

  private func write(_ text: String, to file: any VolumeFile, at offset: UInt64) throws {
    let count = try Array(text.utf8).withUnsafeBytes { try file.write($0, at: offset) }
    #expect(count == text.utf8.count)
  }

  private func read(_ file: any VolumeFile, at offset: UInt64, count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xee, count: count)
    let found = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
    return Array(bytes[..<found])
  }

  @Test(arguments: StoreKind.allCases) func writesAndReads(_ kind: StoreKind) throws {
    let (store, directory) = try kind.make()
    defer { withExtendedLifetime(directory) {} }
    let file = try store.create("vol-0001")
    #expect(try file.size() == 0)
    #expect(try read(file, at: 0, count: 4) == [])
    try write("block", to: file, at: 0)
    try write("far", to: file, at: 10)
    #expect(try file.size() == 13)
    #expect(try read(file, at: 3, count: 20) == Array("ck\0\0\0\0\0far".utf8))
    #expect(try read(file, at: 13, count: 1) == [])
    #expect(try read(file, at: 1 << 40, count: 1) == [])
    file.beginWriteback(from: 0, byteCount: 13)
    try file.synchronize()
    file.dropCache()
    #expect(try read(file, at: 0, count: 5) == Array("block".utf8))
    try file.truncate(to: 2)
    #expect(try read(file, at: 0, count: 5) == Array("bl".utf8))
    try file.truncate(to: 4)
    #expect(try read(file, at: 0, count: 5) == Array("bl\0\0".utf8))
    try file.close()
  }

  @Test(arguments: StoreKind.allCases) func namesComeAndGo(_ kind: StoreKind) throws {
    let (store, directory) = try kind.make()
    defer { withExtendedLifetime(directory) {} }
    #expect(try store.names() == [])
    try store.create("vol-0001").close()
    try store.create("vol-0002").close()
    #expect(try store.names().sorted() == ["vol-0001", "vol-0002"])
    #expect(throws: StoreError("open", .fileExists)) { try store.create("vol-0001") }
    try store.remove("vol-0001")
    #expect(try store.names() == ["vol-0002"])
    #expect(throws: StoreError("unlink", .noSuchFileOrDirectory)) { try store.remove("vol-0001") }
    #expect(throws: StoreError("open", .noSuchFileOrDirectory)) { try store.open("vol-0001", forAppending: false) }
    #expect(throws: StoreError("open", .noSuchFileOrDirectory)) { try store.open("vol-0001", forAppending: true) }
  }

  @Test(arguments: StoreKind.allCases) func handlesSeeOneFile(_ kind: StoreKind) throws {
    let (store, directory) = try kind.make()
    defer { withExtendedLifetime(directory) {} }
    let writer = try store.create("vol-0001")
    let reader = try store.open("vol-0001", forAppending: false)
    let other = try store.open("vol-0001", forAppending: true)
    try write("one", to: writer, at: 0)
    try write("two", to: other, at: 3)
    #expect(try read(reader, at: 0, count: 9) == Array("onetwo".utf8))
    try store.remove("vol-0001")
    #expect(try read(reader, at: 0, count: 9) == Array("onetwo".utf8))
  }

  @Test(arguments: StoreKind.allCases) func readersDoNotWrite(_ kind: StoreKind) throws {
    let (store, directory) = try kind.make()
    defer { withExtendedLifetime(directory) {} }
    try store.create("vol-0001").close()
    let reader = try store.open("vol-0001", forAppending: false)
    #expect(throws: StoreError("pwrite", .badFileDescriptor)) { try write("x", to: reader, at: 0) }
    #expect(throws: StoreError.self) { try reader.truncate(to: 0) }
    try reader.close()
    #expect(throws: StoreError("pread", .badFileDescriptor)) { try read(reader, at: 0, count: 1) }
    #expect(throws: StoreError("fstat", .badFileDescriptor)) { try reader.size() }
    try reader.close()
  }

  @Test func filesAreTheirOwnersOnly() throws {
    let (store, directory) = try StoreKind.file.make()
    try store.create("vol-0001").close()
    var status = stat()
    #expect(stat("\(try #require(directory).path)/vol-0001", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test func symbolicLinksAreRefused() throws {
    let (store, directory) = try StoreKind.file.make()
    let path = try #require(directory).path
    #expect(symlink("/etc/passwd", "\(path)/vol-0001") == 0)
    #expect(throws: StoreError("open", .tooManySymbolicLinkLevels)) { try store.open("vol-0001", forAppending: false) }
    #expect(throws: StoreError("open", .fileExists)) { try store.create("vol-0001") }
  }

  @Test func crashesLoseOnlyWhatWasNotSynced() throws {
    let store = MemoryVolumeStore()
    let file = try store.create("vol-0001")
    try write(String(repeating: "a", count: 2048), to: file, at: 0)
    try file.synchronize()
    try write(String(repeating: "b", count: 2048), to: file, at: 1024)
    var generator = SplitMix(seed: 3)
    let synced = [UInt8](repeating: 0x61, count: 2048)
    let cached = Array(synced[..<1024]) + [UInt8](repeating: 0x62, count: 2048)
    #expect(store.crashImage(.drop, using: &generator).bytes(of: "vol-0001") == synced)
    #expect(store.crashImage(.keep, using: &generator).bytes(of: "vol-0001") == cached)
    var images: Set<[UInt8]> = []
    for _ in 0..<50 {
      let image = try #require(store.crashImage(.tear, using: &generator).bytes(of: "vol-0001"))
      #expect(image.starts(with: synced[..<1024]))
      images.insert(image)
    }
    #expect(images.count > 10)
    store.loseUnsynced(of: "vol-0001", using: &generator)
    try file.synchronize()
    let lost = try #require(store.crashImage(.keep, using: &generator).bytes(of: "vol-0001"))
    #expect(lost != cached, "a sync after a failed one must not bring back what was lost")
    #expect(store.bytes(of: "vol-0001") == cached)
  }
}
