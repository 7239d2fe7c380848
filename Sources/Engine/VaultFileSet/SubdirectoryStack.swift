import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// What the walk does with a subdirectory when its turn comes.
enum SubdirectoryKind: UInt8 {
  /// Lists and descends.
  case ordinary = 0
  /// Lists and descends; its file system is the one that counts from here.
  case start = 1
  /// Lists the names that lead to selected paths.
  case onTheWay = 2
  /// Reports that its contents are not seen.
  case notEntered = 3
}

/// The subdirectories that are still to be visited, a list for each level of the walk.
///
/// Lists lie one behind the other in memory; a list that would exceed the limit continues in a temporary file.
/// - Layout: a name is (kind u8, length u16, bytes).
struct SubdirectoryStack: ~Copyable {
  /// One level's list, in the order in which it is visited.
  struct List {
    fileprivate(set) var cursor: Int
    fileprivate(set) var end: Int
    fileprivate let start: Int
    fileprivate var isInFile = false
    var isEmpty: Bool { cursor == end }
  }

  private static let headerByteCount = 3

  private var memory = ByteArena(capacity: 64 * 1024)
  private var file: Descriptor?
  private var written = ByteArena(capacity: 16)
  /// Where the next flushed byte goes.
  private var fileEnd = 0
  private var window = ByteArena(capacity: 16)
  private let byteLimit: Int
  private let temporaryDirectory: ByteString

  init(byteLimit: Int, temporaryDirectory: ByteString) {
    self.byteLimit = byteLimit
    self.temporaryDirectory = temporaryDirectory
  }

  /// An empty list on top of the others; it is filled before another begins.
  func beginList() -> List { List(cursor: memory.count, end: memory.count, start: memory.count) }

  mutating func append(
    _ name: UnsafeRawBufferPointer, _ kind: SubdirectoryKind, to list: inout List
  ) throws(FileSetError) {
    let size = Self.headerByteCount + name.count
    if !list.isInFile, memory.count + size > byteLimit { try moveToFile(&list) }
    if list.isInFile {
      Self.append(name, kind, to: &written)
      list.end += size
      if written.count >= 60 * 1024 { try flush() }
    } else {
      Self.append(name, kind, to: &memory)
      list.end = memory.count
    }
  }

  /// Says that the list is whole.
  mutating func endList(_ list: List) throws(FileSetError) {
    if list.isInFile { try flush() }
  }

  /// Takes the list's next name and appends it to `key`; nil when it is empty.
  mutating func next(of list: inout List, into key: inout ByteArena) throws(FileSetError) -> SubdirectoryKind? {
    guard !list.isEmpty else { return nil }
    let header = list.isInFile ? try readWindow(at: list.cursor, end: list.end) : memory.base + list.cursor
    let count = Int(header.loadUnaligned(fromByteOffset: 1, as: UInt16.self))
    key.append(UnsafeRawBufferPointer(start: header + Self.headerByteCount, count: count))
    list.cursor += Self.headerByteCount + count
    return SubdirectoryKind(rawValue: header.load(as: UInt8.self))
  }

  /// Removes the topmost list.
  mutating func removeList(_ list: List) {
    if list.isInFile { fileEnd = list.start } else { memory.truncate(to: list.start) }
  }

  private static func append(
    _ name: UnsafeRawBufferPointer, _ kind: SubdirectoryKind, to arena: inout ByteArena
  ) {
    arena.append(kind.rawValue)
    withUnsafeBytes(of: UInt16(truncatingIfNeeded: name.count)) { arena.append($0) }
    arena.append(name)
  }

  // MARK: Lists in the file

  private mutating func moveToFile(_ list: inout List) throws(FileSetError) {
    if file == nil {
      do { file = try TemporaryFile.open(in: temporaryDirectory) } catch {
        throw FileSetError(.temporaryFile, temporaryDirectory, error.errno)
      }
    }
    written.append(memory.bytes(list.start..<memory.count))
    memory.truncate(to: list.start)
    let count = list.end - list.start
    list = List(cursor: fileEnd, end: fileEnd + count, start: fileEnd, isInFile: true)
    try flush()
  }

  private mutating func flush() throws(FileSetError) {
    let end = Int64(fileEnd)
    do throws(Errno) { try file?.writeAll(written.bytes, at: end) } catch {
      throw FileSetError(.temporaryFile, temporaryDirectory, error)
    }
    fileEnd += written.count
    written.truncate(to: 0)
  }

  private mutating func readWindow(at cursor: Int, end: Int) throws(FileSetError) -> UnsafeMutableRawPointer {
    window.reserve(8 * 1024)
    let target = UnsafeMutableRawBufferPointer(start: window.base, count: min(8 * 1024, end - cursor))
    var filled = 0
    while filled < target.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: target[filled...])
      let count: Int
      do throws(Errno) { count = try file?.read(into: rest, at: Int64(cursor + filled)) ?? 0 } catch {
        throw FileSetError(.temporaryFile, temporaryDirectory, error)
      }
      guard count > 0 else { throw FileSetError(.temporaryFile, temporaryDirectory, .ioError) }
      filled += count
    }
    return window.base
  }
}
