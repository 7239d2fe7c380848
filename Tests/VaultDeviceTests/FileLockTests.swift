import Glibc
import Testing
import VaultModel
import VaultSystem

@Suite struct FileLockTests {
  private static let now = Timestamp(nanoseconds: 1_700_000_000_000_000_000)

  private static func isHeld(_ lock: borrowing FileLock?) -> Bool {
    switch lock {
    case .some: true
    case .none: false
    }
  }

  @Test func aSecondHolderIsToldWhoHoldsIt() throws {
    let directory = try TemporaryDirectory()
    let path = ByteString("\(directory.path)/lock")
    guard let lock = try FileLock.acquire(path, command: "vault local backup /a b\n", now: Self.now) else {
      Issue.record("the directory is writable")
      return
    }
    do throws(FileLockError) {
      _ = try FileLock.acquire(path, command: "second", now: Self.now)
      Issue.record("the lock was taken twice")
    } catch {
      let holder = FileLock.Holder(
        process: getpid(), command: #"vault local backup /a b\n"#, since: "2023-11-14T22:13:20Z")
      #expect(error.kind == .inUse(holder))
      #expect(error.exitStatus == .inUse)
      #expect(error.description.contains("process \(getpid()) (vault local backup /a b"))
    }
    lock.release()
    let again = try FileLock.acquire(path, command: "third", now: Self.now)
    let isHeldAgain = Self.isHeld(again)
    #expect(isHeldAgain)
  }

  @Test func itIsReleasedWithItsValue() throws {
    let directory = try TemporaryDirectory()
    let path = ByteString("\(directory.path)/lock")
    for _ in 0..<3 {
      let lock = try FileLock.acquire(path, command: "vault", now: Self.now)
      let isHeld = Self.isHeld(lock)
      #expect(isHeld)
    }
  }

  /// What a child process has between fork and exec is a duplicate of each descriptor.
  @Test func aDuplicateOfItsDescriptorKeepsNoLock() throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/lock"
    guard let lock = try FileLock.acquire(ByteString(path), command: "vault", now: Self.now) else {
      Issue.record("the directory is writable")
      return
    }
    let duplicate = try #require((0..<1024).first { Self.path(of: $0) == path }.map { dup($0) })
    defer { close(duplicate) }
    lock.release()
    let shared = try FileLock.share(ByteString(path))
    shared?.release()
    let isHeldAgain = Self.isHeld(try FileLock.acquire(ByteString(path), command: "vault", now: Self.now))
    #expect(isHeldAgain)
  }

  private static func path(of descriptor: Int32) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
      guard let base = buffer.baseAddress else { return nil }
      let count = readlink("/proc/self/fd/\(descriptor)", base, buffer.count)
      return count < 0 ? nil : String(decoding: UnsafeRawBufferPointer(buffer)[..<count], as: UTF8.self)
    }
  }

  @Test func aMissingDirectoryIsAnError() {
    #expect(throws: FileLockError.self) {
      _ = try FileLock.acquire("/nonexistent/lock", command: "vault", now: Self.now)
    }
  }

  @Test(arguments: [
    ("pid=7 command=vault local ls since=2023-11-14T22:13:20Z\n", "vault local ls"),
    ("pid=7 command=since=x since=2023-11-14T22:13:20Z", "since=x"), ("pid=7 command= since=x\n", ""),
  ]) func readsLines(_ line: String, _ command: String) {
    let holder = FileLock.holder(fromLine: ByteString(line))
    #expect(holder?.process == 7)
    #expect(holder?.command == command)
  }

  @Test(arguments: ["", "\n", "pid=", "pid=x command=a since=b", "pid=7", "pid=7 ", "pid=7 since=b", "pid=7 command=a"])
  func ignoresOtherLines(_ line: String) { #expect(FileLock.holder(fromLine: ByteString(line)) == nil) }
}
