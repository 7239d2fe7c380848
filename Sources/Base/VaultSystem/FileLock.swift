import CLinux
import Glibc
import SystemPackage
import VaultModel

/// An exclusive lock on a file that lives as long as this value, and that the kernel releases when the process dies.
///
/// It is an open-file-description lock: a second holder in the same process is refused too. The file says who holds it in
/// one line, `pid=… command=… since=…`, and stays in place when the lock is released.
package struct FileLock: ~Copyable, Sendable {
  private let descriptor: Descriptor

  /// Who holds a lock, as the holder wrote it.
  package struct Holder: Hashable, Sendable {
    package var process: Int32
    /// The command line, control characters escaped.
    package var command: String
    /// When it was taken: RFC 3339, UTC.
    package var since: String

    package init(process: Int32, command: String, since: String) {
      self.process = process
      self.command = command
      self.since = since
    }
  }

  /// Takes the lock at once or says who holds it.
  ///
  /// - Parameter command: what the holder is doing, for whoever is refused.
  /// - Returns: nil on a read-only file system, where nothing can be changed and no lock is needed.
  /// - Throws: `FileLockError`, `.inUse` when another holds it.
  package static func acquire(
    _ path: ByteString, command: String, now: Timestamp
  ) throws(FileLockError) -> FileLock? {
    guard let descriptor = try open(path) else { return nil }
    try take(Int16(F_WRLCK), descriptor, path)
    let lock = FileLock(descriptor: descriptor)
    do {
      try lock.describe(command, now)
    } catch {
      throw FileLockError(.system(SystemError(error, call: "write", object: path.displayText)), path)
    }
    return lock
  }

  /// Keeps everybody from taking the lock while this value lives, and writes nothing; others may share it so.
  ///
  /// - Returns: nil when there is no such file: then nobody has ever taken the lock.
  /// - Throws: `FileLockError`, `.inUse` when another holds it.
  package static func share(_ path: ByteString) throws(FileLockError) -> SharedFileLock? {
    let descriptor: Descriptor
    do throws(SystemError) { descriptor = try Descriptor.open(path, [.readOnly, .noFollow]) } catch {
      if error.errno == .noSuchFileOrDirectory { return nil }
      throw FileLockError(.system(error), path)
    }
    try take(Int16(F_RDLCK), descriptor, path)
    return SharedFileLock(descriptor: descriptor)
  }

  private static func take(
    _ type: Int16, _ descriptor: borrowing Descriptor, _ path: ByteString
  ) throws(FileLockError) {
    var request = CLinux.flock()
    request.l_type = type
    request.l_whence = Int16(SEEK_SET)
    let number = descriptor.rawValue
    let result = retryingOnInterrupt { vault_fcntl_lock(number, Int32(VAULT_F_OFD_SETLK), &request) }
    guard result != 0 else { return }
    let errno = Errno(rawValue: currentErrorNumber())
    guard errno == .resourceTemporarilyUnavailable || errno == .permissionDenied else {
      throw FileLockError(.system(SystemError(errno, call: "fcntl", object: path.displayText)), path)
    }
    throw FileLockError(.inUse(readHolder(descriptor)), path)
  }

  private init(descriptor: consuming Descriptor) { self.descriptor = descriptor }

  deinit { Self.giveUp(descriptor) }

  /// Unlocks: closing alone would leave the lock to a child process that was just forked, until that runs its program.
  fileprivate static func giveUp(_ descriptor: borrowing Descriptor) {
    var request = CLinux.flock()
    request.l_type = Int16(F_UNLCK)
    request.l_whence = Int16(SEEK_SET)
    // It cannot fail for a lock that is held; closing is what comes next in any case.
    _ = vault_fcntl_lock(descriptor.rawValue, Int32(VAULT_F_OFD_SETLK), &request)
  }

  /// Releases the lock and leaves an empty file.
  package consuming func release() {
    // The line is for people; that it stays behind after a failure does no harm.
    do { try descriptor.truncate(to: 0) } catch {}
  }

  private static func open(_ path: ByteString) throws(FileLockError) -> Descriptor? {
    do {
      return try Descriptor.open(path, [.readWrite, .create, .noFollow], mode: 0o600)
    } catch {
      if error.errno == .readOnlyFileSystem { return nil }
      throw FileLockError(.system(error), path)
    }
  }

  private func describe(_ command: String, _ now: Timestamp) throws(Errno) {
    let shown = String(ByteString(command).displayText.prefix(1024))
    let line = Array("pid=\(getpid()) command=\(shown) since=\(Self.text(of: now))\n".utf8)
    try descriptor.truncate(to: 0)
    var failure: Errno?
    line.withUnsafeBytes { bytes in
      do throws(Errno) { try descriptor.writeAll(bytes, at: 0) } catch { failure = error }
    }
    // A full disk takes the lock nevertheless: only its description is missing.
    if let failure, failure != .noSpace { throw failure }
  }

  private static func readHolder(_ descriptor: borrowing Descriptor) -> Holder? {
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
      guard let count = try? descriptor.read(into: buffer, at: 0) else { return nil }
      return holder(fromLine: ByteString(UnsafeRawBufferPointer(rebasing: buffer[..<count])))
    }
  }

  /// Reads the line that a holder wrote; nil when it is not one.
  package static func holder(fromLine line: ByteString) -> Holder? {
    guard let text = line.text?.split(separator: "\n").first, text.hasPrefix("pid=") else { return nil }
    guard let space = text.firstIndex(of: " "), let process = Int32(text[..<space].dropFirst("pid=".count)) else {
      return nil
    }
    let words = text[text.index(after: space)...].split(separator: " ", omittingEmptySubsequences: false)
    guard let first = words.first, first.hasPrefix("command="), let last = words.last, last.hasPrefix("since="),
      words.count >= 2
    else { return nil }
    let command = words.dropLast().joined(separator: " ").dropFirst("command=".count)
    // Whoever may write the file may put anything into it; what a holder escaped is not escaped again.
    let shown = ByteString(String(command)).displayText.replacing(#"\\"#, with: #"\"#)
    return Holder(process: process, command: shown, since: String(last.dropFirst("since=".count)))
  }

  private static func text(of instant: Timestamp) -> String {
    var seconds = time_t(instant.nanoseconds / 1_000_000_000)
    var fields = tm()
    gmtime_r(&seconds, &fields)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(fields.tm_year + 1900)-\(two(fields.tm_mon + 1))-\(two(fields.tm_mday))"
      + "T\(two(fields.tm_hour)):\(two(fields.tm_min)):\(two(fields.tm_sec))Z"
  }
}

/// A share of a lock, as long as this value lives; see `FileLock.share`.
package struct SharedFileLock: ~Copyable, Sendable {
  private let descriptor: Descriptor

  fileprivate init(descriptor: consuming Descriptor) { self.descriptor = descriptor }

  deinit { FileLock.giveUp(descriptor) }

  /// Gives up the share.
  package consuming func release() {}
}

/// Why a lock was not taken.
package struct FileLockError: DescribedError {
  package enum Kind: Hashable, Sendable {
    /// Another holds the lock; who, unless it has not yet said so.
    case inUse(FileLock.Holder?)
    case system(SystemError)
  }

  package let kind: Kind
  /// The lock file.
  package let path: ByteString

  package init(_ kind: Kind, _ path: ByteString) {
    self.kind = kind
    self.path = path
  }

  package var exitStatus: ExitStatus {
    switch kind {
    case .inUse: .inUse
    case .system(let error): error.exitStatus
    }
  }

  package var description: String {
    switch kind {
    case .inUse(let holder?):
      "\(path.displayText) is held by process \(holder.process) (\(holder.command)) since \(holder.since)."
        + " Nothing was changed; wait until it has ended."
    case .inUse(nil): "\(path.displayText) is held by another process. Nothing was changed; wait until it has ended."
    case .system(let error): error.description
    }
  }
}
