import CLinux
import Glibc
import SystemPackage
import Testing
import VaultModel
import VaultSystem

/// Writing past the page cache. Most of it needs a file system that offers it: elsewhere only the refusal is seen.
@Suite struct DirectWritingTests {
  /// A directory of its own on a disk; its path, and whether its file system is one that is written directly.
  private static func makeDirectory() throws -> (path: String, isOffered: Bool) {
    var template = Array("/var/tmp/vault-direct-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var status = statfs()
    guard statfs(path, &status) == 0 else { throw Errno(rawValue: errno) }
    return (path, status.f_type == 0xef53 || status.f_type == 0x5846_5342)
  }

  /// Page-aligned memory with a pattern.
  private static func withBlock(_ count: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: DirectWriting.alignment)
    defer { memory.deallocate() }
    for index in memory.indices { memory[index] = UInt8(truncatingIfNeeded: index / 7) }
    try body(UnsafeRawBufferPointer(memory))
  }

  /// A clock that says how long each write took, and how long the pause before it.
  private final class SteppingClock: VaultClock, @unchecked Sendable {
    // One thread asks it.
    private var nanoseconds: UInt64 = 0
    private var isWriting = true
    private let write: UInt64
    /// Before the writes that follow.
    var pause: UInt64

    init(write: UInt64, pause: UInt64) {
      self.write = write
      self.pause = pause
    }

    func now() -> Timestamp { Timestamp(nanoseconds: 0) }

    func monotonicNanoseconds() -> UInt64 {
      isWriting.toggle()
      nanoseconds += isWriting ? write : pause
      return nanoseconds
    }
  }

  /// Runs `body` with a new file and the way past the page cache into it.
  private static func withFile(
    _ body: (borrowing Descriptor, borrowing DirectWriting) throws -> Void
  ) throws {
    let (path, isOffered) = try makeDirectory()
    defer {
      unlink(path + "/file")
      rmdir(path)
    }
    let directory = try VolumeDirectory(path: ByteString(path))
    let file = try directory.create("file")
    let direct = directory.directWriting("file", of: file)
    switch direct {
    case .some(let direct): try body(file, direct)
    case .none: #expect(!isOffered)
    }
  }

  @Test func alignedBytesAreReadBackThroughTheOtherDescriptor() throws {
    try Self.withFile { file, direct throws in
      try Self.withBlock(1 << 20) { block throws in
        for number in 0..<3 {
          let count = try direct.write(block, at: Int64(number) << 20, clock: SystemClock())
          #expect(count == block.count)
        }
        try file.synchronizeData()
        #expect(try file.size() == 3 << 20)
        var found = [UInt8](repeating: 0, count: block.count)
        #expect(try found.withUnsafeMutableBytes { try file.read(into: $0, at: 2 << 20) } == block.count)
        #expect(found.elementsEqual(block))
      }
    }
  }

  @Test func whatIsNotAlignedIsLeftToTheUsualWay() throws {
    try Self.withFile { _, direct throws in
      try Self.withBlock(3 * DirectWriting.alignment) { block throws in
        let shifted = UnsafeRawBufferPointer(rebasing: block[512..<(512 + DirectWriting.alignment)])
        let short = UnsafeRawBufferPointer(rebasing: block[..<100])
        let clock = SystemClock()
        #expect(try direct.write(shifted, at: 0, clock: clock) == nil)
        #expect(try direct.write(short, at: 0, clock: clock) == nil)
        #expect(try direct.write(block, at: 80, clock: clock) == nil)
        #expect(try direct.write(UnsafeRawBufferPointer(start: nil, count: 0), at: 0, clock: clock) == nil)
        #expect(try direct.write(block, at: 0, clock: clock) == block.count)
      }
    }
  }

  /// Whatever the speed is: a slow medium that keeps up with what comes is written directly. One write may be a whole look.
  @Test(
    arguments: [(100, 120, true), (4_000_000, 5_000_000, true), (120, 100, false), (5_000_000, 0, false)]
      as [(UInt64, UInt64, Bool)], [1, 8])
  func aMediumThatIsWaitedForIsGivenUp(_ times: (write: UInt64, pause: UInt64, isKept: Bool), mebibytes: Int) throws {
    try Self.withFile { _, direct throws in
      try Self.withBlock(mebibytes << 20) { block throws in
        let clock = SteppingClock(write: times.write, pause: times.pause)
        for _ in 0..<(40 / mebibytes) { _ = try direct.write(block, at: 0, clock: clock) }
        #expect(try direct.write(block, at: 0, clock: clock) == (times.isKept ? block.count : nil))
      }
    }
  }

  /// A look that finds the thread waiting says nothing when the next one does not.
  @Test func fewBusyLooksAreNotEnough() throws {
    try Self.withFile { _, direct throws in
      try Self.withBlock(1 << 20) { block throws in
        let clock = SteppingClock(write: 100, pause: 0)
        for number in 0..<96 {
          clock.pause = number % 16 < 8 ? 0 : 1000
          #expect(try direct.write(block, at: 0, clock: clock) == block.count)
        }
      }
    }
  }

  @Test func anotherFileUnderTheNameIsNotWritten() throws {
    let (path, _) = try Self.makeDirectory()
    defer {
      unlink(path + "/file")
      unlink(path + "/other")
      rmdir(path)
    }
    let directory = try VolumeDirectory(path: ByteString(path))
    let file = try directory.create("file")
    _ = try directory.create("other")
    #expect(rename(path + "/other", path + "/file") == 0)
    let isWritten = directory.directWriting("file", of: file) != nil
    #expect(!isWritten)
  }

  @Test func memoryIsWrittenTheUsualWay() throws {
    var template = Array("/dev/shm/vault-direct-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer {
      unlink(path + "/file")
      rmdir(path)
    }
    let directory = try VolumeDirectory(path: ByteString(path))
    let file = try directory.create("file")
    let isOffered = directory.directWriting("file", of: file) != nil
    #expect(!isOffered)
  }
}
