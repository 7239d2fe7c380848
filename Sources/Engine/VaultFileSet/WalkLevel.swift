import struct SystemPackage.Errno
import VaultModel

/// A directory whose subdirectories are not all visited.
struct WalkLevel {
  /// Nil while many levels are open below: it is then opened again when its turn comes.
  var descriptor: SharedDescriptor?
  /// What proves that a directory opened again is the same.
  let identity: FileIdentity
  let keyLength: Int
  /// The device that its contents are on.
  let device: UInt64
  var subdirectories: SubdirectoryStack.List
  /// Why it could not be opened again.
  var failure: Errno?
}
