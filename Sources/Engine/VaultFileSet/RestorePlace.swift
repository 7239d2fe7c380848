import struct SystemPackage.Errno
import VaultModel
import VaultProtocol
import VaultSystem

/// A name below the target that something is restored to.
struct RestorePlace: Sendable {
  let target: RestoreTarget
  let directory: SharedDescriptor
  let directoryPath: ByteString
  let name: ByteString
  /// What its temporary name is made of.
  let temporaryNumber: UInt64

  /// What it has until it is whole.
  var temporaryName: ByteString { Self.temporaryName(temporaryNumber) }

  /// For messages.
  var shown: ByteString { target.shownPath(directoryPath, name) }

  /// Whether something has the name that must not be replaced, as far as it is worth asking before there is anything to give the
  /// name to: `takeName` and `giveName` find out in any case. In a target that was empty only another entry can have it.
  func isTakenAlready(for attributes: FileAttributes) throws(FileSetError) -> Bool {
    let costsLittle = attributes.size <= UInt64(GroupLimits.contentDataLimit)
    return target.wasEmpty && costsLittle ? false : try isTaken(for: attributes.modified)
  }

  /// Whether something has the name that must not be replaced.
  func isTaken(for modified: FileTime) throws(FileSetError) -> Bool {
    if target.policy == .always { return false }
    guard let existing = try existing() else { return false }
    return !target.policy.replaces(existing, with: modified)
  }

  /// What has the name now.
  func existing() throws(FileSetError) -> FileAttributes? {
    do throws(Errno) { return try FileStatus.read(at: directory.number, name: name) } catch {
      if error == .noSuchFileOrDirectory { return nil }
      throw FileSetError(.giveName, shown, error)
    }
  }

  /// Gives what has the temporary name its own, if the policy allows.
  ///
  /// - Returns: false when something was kept; the temporary name is then still there.
  func takeName(modified: FileTime) throws(FileSetError) -> Bool {
    if target.policy == .newer, try isTaken(for: modified) { return false }
    do throws(Errno) {
      if target.policy == .never { return try renameIfFree() }
      return try renameOver()
    } catch {
      throw FileSetError(error == .directoryNotEmpty ? .directoryInTheWay : .giveName, shown, error)
    }
  }

  /// Gives an open file without a name its own, if the policy allows.
  ///
  /// - Returns: false when something was kept; the file then still has no name.
  func giveName(to file: Int32, modified: FileTime) throws(FileSetError) -> Bool {
    if target.policy == .newer, try isTaken(for: modified) { return false }
    do throws(Errno) {
      try UnnamedFiles.giveName(name, in: directory.number, to: file)
      return true
    } catch {
      if error == .fileExists, target.policy == .never { return false }
      guard error == .fileExists else { throw FileSetError(.giveName, shown, error) }
    }
    // What is there goes at the moment when the file takes its place.
    let temporaryName = temporaryName
    try FileSetError.wrapping(.giveName, shown) { () throws(Errno) in
      try UnnamedFiles.giveName(temporaryName, in: directory.number, to: file)
    }
    var isNamed = false
    defer { if !isNamed { removeTemporary() } }
    isNamed = try takeName(modified: modified)
    return isNamed
  }

  private func renameIfFree() throws(Errno) -> Bool {
    do throws(Errno) {
      try DirectoryNames.renameWithoutReplacing(at: directory.number, temporaryName, to: name)
      return true
    } catch {
      if error == .fileExists { return false }
      guard error == .invalidArgument || error == .noFunction else { throw error }
    }
    // This file system cannot do it in one step.
    do throws(Errno) { _ = try FileStatus.read(at: directory.number, name: name) } catch {
      guard error == .noSuchFileOrDirectory else { throw error }
      try DirectoryNames.rename(at: directory.number, temporaryName, to: name)
      return true
    }
    return false
  }

  private func renameOver() throws(Errno) -> Bool {
    do throws(Errno) {
      try DirectoryNames.rename(at: directory.number, temporaryName, to: name)
    } catch {
      guard error == .isDirectory || error == .fileExists else { throw error }
      // Only an empty one goes.
      try DirectoryNames.removeDirectory(at: directory.number, name)
      try DirectoryNames.rename(at: directory.number, temporaryName, to: name)
    }
    return true
  }

  /// Removes the temporary name after a failure; there is nothing to do about a second one.
  func removeTemporary() {
    do throws(Errno) { try DirectoryNames.remove(at: directory.number, temporaryName) } catch { return }
  }

  // MARK: Temporary names

  private static let temporaryPrefix: StaticString = ".vault-restore-"

  /// Sixteen digits of a well-mixed counter.
  static func temporaryName(_ counter: UInt64) -> ByteString {
    var word = (counter ^ (counter >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    word ^= word >> 31
    let bytes = [UInt8](unsafeUninitializedCapacity: temporaryPrefix.utf8CodeUnitCount + 16) { bytes, count in
      temporaryPrefix.withUTF8Buffer { count = bytes.update(fromContentsOf: $0) }
      for shift in stride(from: 60, through: 0, by: -4) {
        let digit = UInt8(word >> UInt64(shift) & 15)
        bytes[count] = digit < 10 ? 0x30 + digit : 0x57 + digit
        count += 1
      }
    }
    return ByteString(bytes)
  }
}
