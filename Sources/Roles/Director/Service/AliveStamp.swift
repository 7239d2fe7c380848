import VaultModel
import VaultSystem

/// When the director was last there: the modification time of an empty file in its Working Directory.
///
/// It is the wall clock's: it lasts longer than the machine is up. A clock that jumped ahead makes the director have been away for
/// longer, one that was set back for no time at all.
struct AliveStamp: Sendable {
  private let path: ByteString

  /// - Parameter directory: the director's Working Directory.
  init(in directory: ByteString) { path = ByteString(directory.bytes + Array("/alive".utf8)) }

  /// How often a director says that it is there, where an absence of so many seconds counts.
  static func intervalSeconds(windowSeconds: UInt64) -> UInt64 { max(1, min(5, windowSeconds / 4)) }

  /// For how long the director was away; nil when nothing says that it was ever there. Blocks its thread.
  func absence(until now: Timestamp) -> Duration? {
    guard let status = try? FileStatus.read(at: Descriptor.workingDirectory, name: path) else { return nil }
    let last = status.modified
    let seconds = now.nanoseconds / 1_000_000_000 - last.seconds
    return max(.zero, .seconds(seconds) + .nanoseconds(now.nanoseconds % 1_000_000_000 - Int64(last.nanoseconds)))
  }

  /// Says that the director is there. Blocks its thread.
  func write(_ now: Timestamp) throws(SystemError) {
    let file = try Descriptor.open(path, [.writeOnly, .create, .noFollow], mode: 0o600)
    let time = FileTime(
      seconds: now.nanoseconds / 1_000_000_000, nanoseconds: UInt32(max(0, now.nanoseconds % 1_000_000_000)))
    do {
      try OpenFile.setTimes(file.rawValue, accessed: time, modified: time)
    } catch { throw SystemError(error, call: "futimens", object: path.displayText) }
    try file.close()
  }
}
