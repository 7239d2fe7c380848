import Testing
import VaultModel
import VaultSystem

@testable import Director

/// How long a director was away, by the file that says when it was there.
@Suite struct AliveStampTests {
  private static let now = Timestamp(nanoseconds: 1_700_000_000_250_000_000)

  private func inDirectory(_ body: (AliveStamp) throws -> Void) throws {
    let path = ByteString("/tmp/vault-alive-\(UniqueIdentifier.random().text)")
    try DurableFiles.createDirectory(path, mode: 0o700)
    defer {
      try? DirectoryNames.remove(at: Descriptor.workingDirectory, ByteString(path.bytes + Array("/alive".utf8)))
      try? DirectoryNames.removeDirectory(at: Descriptor.workingDirectory, path)
    }
    try body(AliveStamp(in: path))
  }

  @Test(arguments: [0, 1, 999_999_999, 1_000_000_000, 86_400_000_000_123] as [Int64])
  func theTimeSinceTheLastSign(_ nanoseconds: Int64) throws {
    try inDirectory { stamp in
      try stamp.write(Timestamp(nanoseconds: 5))
      try stamp.write(Self.now)
      let later = Timestamp(nanoseconds: Self.now.nanoseconds + nanoseconds)
      #expect(stamp.absence(until: later) == .nanoseconds(nanoseconds))
    }
  }

  @Test func aClockThatWasSetBackMeansNoTime() throws {
    try inDirectory { stamp in
      try stamp.write(Self.now)
      #expect(stamp.absence(until: Timestamp(nanoseconds: Self.now.nanoseconds - 3_600_000_000_000)) == .zero)
    }
  }

  @Test func nobodyKnowsWithoutASign() throws {
    try inDirectory { #expect($0.absence(until: Self.now) == nil) }
    let nowhere = AliveStamp(in: "/nowhere/at/all")
    #expect(nowhere.absence(until: Self.now) == nil)
    #expect(throws: SystemError.self) { try nowhere.write(Self.now) }
  }

  @Test func signsComeSeveralTimesInAWindow() {
    let windows: [UInt64] = [0, 1, 8, 19, 20, 600]
    #expect(windows.map { AliveStamp.intervalSeconds(windowSeconds: $0) } == [1, 1, 2, 4, 5, 5])
  }
}
