import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// A name below the target that something is restored to.
struct RestorePlace: Sendable {
  let target: RestoreTarget
  let directory: SharedDescriptor
  let directoryPath: ByteString
  let name: ByteString
  /// What it has until it is whole.
  let temporaryName: ByteString

  /// For messages.
  var shown: ByteString { target.shownPath(directoryPath, name) }

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
}
