import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// Sorted runs of names in an unlinked temporary file, and their merge.
///
/// - Layout: a name is (length u16, type u8, bytes, NUL) in this machine's byte order; nobody else reads it.
struct SortedRuns: ~Copyable {
  private static let headerByteCount = 3
  /// Longer names than a directory can hold need not be expected.
  private static let bufferMinimum = 8 * 1024
  private static let bufferMaximum = 256 * 1024

  /// A run while it is merged: a window of `buffer` holds what was read ahead of it.
  private struct Run {
    var nextOffset: Int64
    let endOffset: Int64
    var position = 0
    var filled = 0
  }

  private let file: Descriptor
  private let directory: ByteString
  private let bufferBytes: Int
  private var fileEnd: Int64 = 0
  private var written = ByteArena(capacity: 64 * 1024)
  private var runs: [Run] = []
  private var runStart: Int64 = 0
  private var buffer = ByteArena(capacity: 16)
  private var window = 0
  /// A binary heap of run numbers, the run with the smallest head first.
  private var heap: [Int] = []

  init(temporaryDirectory: ByteString, bufferBytes: Int) throws(FileSetError) {
    directory = temporaryDirectory
    self.bufferBytes = bufferBytes
    do { file = try TemporaryFile.open(in: temporaryDirectory) } catch {
      throw FileSetError(.temporaryFile, temporaryDirectory, error.errno)
    }
  }

  // MARK: Writing

  mutating func beginRun() throws(FileSetError) { runStart = fileEnd }

  mutating func append(_ name: ListedName) throws(FileSetError) {
    let count = UInt16(truncatingIfNeeded: name.bytes.count)
    withUnsafeBytes(of: count) { written.append($0) }
    written.append(name.type.rawValue)
    written.append(name.bytes)
    written.append(0)
    if written.count >= 60 * 1024 { try flush() }
  }

  /// Makes the names since `beginRun()` a run; without it they are not there.
  mutating func endRun() throws(FileSetError) {
    try flush()
    runs.append(Run(nextOffset: runStart, endOffset: fileEnd))
  }

  private mutating func flush() throws(FileSetError) {
    let end = fileEnd
    do throws(Errno) { try file.writeAll(written.bytes, at: end) } catch {
      written.truncate(to: 0)
      fileEnd = runStart
      throw FileSetError(.temporaryFile, directory, error)
    }
    fileEnd += Int64(written.count)
    written.truncate(to: 0)
  }

  // MARK: Merging

  /// Begins the merge: `head` is then the first name of all runs.
  mutating func startReading() throws(FileSetError) {
    guard !runs.isEmpty else { return }
    window = max(Self.bufferMinimum, min(Self.bufferMaximum, bufferBytes / runs.count))
    buffer = ByteArena(capacity: window * runs.count)
    for index in runs.indices {
      try refill(index)
      if runs[index].filled > 0 { heap.append(index) }
    }
    for parent in stride(from: heap.count / 2, through: 0, by: -1) { siftDown(from: parent) }
  }

  /// The smallest name that was not taken yet, valid until `advance()`.
  var head: ListedName? { heap.first.map { name(of: $0) } }

  /// Takes the head.
  mutating func advance() throws(FileSetError) {
    guard let index = heap.first else { return }
    runs[index].position += Self.headerByteCount + name(of: index).bytes.count + 1
    try refill(index)
    if runs[index].filled == runs[index].position {
      heap.swapAt(0, heap.count - 1)
      heap.removeLast()
    }
    siftDown(from: 0)
  }

  private func name(of index: Int) -> ListedName {
    let start = buffer.base + index * window + runs[index].position
    let count = Int(start.loadUnaligned(as: UInt16.self))
    return ListedName(
      bytes: UnsafeRawBufferPointer(start: start + Self.headerByteCount, count: count),
      type: DirectoryEntryType(rawValue: start.load(fromByteOffset: 2, as: UInt8.self)))
  }

  /// Makes sure that the run's next name, if there is one, is whole in its window.
  private mutating func refill(_ index: Int) throws(FileSetError) {
    var run = runs[index]
    let start = buffer.base + index * window
    let remaining = run.filled - run.position
    if remaining >= Self.headerByteCount {
      let count = Int((start + run.position).loadUnaligned(as: UInt16.self))
      if remaining >= Self.headerByteCount + count + 1 { return }
    }
    start.copyMemory(from: start + run.position, byteCount: remaining)
    run.position = 0
    run.filled = remaining
    while run.nextOffset < run.endOffset, run.filled < window {
      let count = min(window - run.filled, Int(run.endOffset - run.nextOffset))
      let target = UnsafeMutableRawBufferPointer(start: start + run.filled, count: count)
      let offset = run.nextOffset
      let read = try FileSetError.wrapping(.temporaryFile, directory) { () throws(Errno) in
        try file.read(into: target, at: offset)
      }
      guard read > 0 else { throw FileSetError(.temporaryFile, directory, .ioError) }
      run.filled += read
      run.nextOffset += Int64(read)
    }
    runs[index] = run
  }

  private mutating func siftDown(from start: Int) {
    var parent = start
    while true {
      var smallest = parent
      for child in (2 * parent + 1)...(2 * parent + 2) where child < heap.count {
        if orderOfBytes(name(of: heap[child]).bytes, name(of: heap[smallest]).bytes) < 0 { smallest = child }
      }
      if smallest == parent { return }
      heap.swapAt(parent, smallest)
      parent = smallest
    }
  }
}
