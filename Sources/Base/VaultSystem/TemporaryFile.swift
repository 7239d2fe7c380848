import Glibc
import struct SystemPackage.Errno
import VaultModel

/// Files without a name, for what does not fit into memory.
package enum TemporaryFile {
  /// `$TMPDIR`, or `/tmp`.
  package static var defaultDirectory: ByteString {
    guard let value = getenv("TMPDIR"), value[0] == CChar(0x2f) else { return "/tmp" }
    return ByteString(UnsafeRawBufferPointer(start: value, count: strlen(value)))
  }

  /// Opens a new file in `directory` for reading and writing and removes its name: it goes when the descriptor is closed.
  package static func open(in directory: ByteString) throws(SystemError) -> Descriptor {
    let folder = try Descriptor.open(directory, [.pathOnly, .directory])
    // 64 random bits: a name that exists already is somebody's mischief, not an accident to try again after.
    let name = ByteString(".vault-temporary-" + String(UInt64.random(in: .min ... .max), radix: 16))
    let flags: OpenFlags = [.readWrite, .create, .exclusive, .noFollow]
    let file = try Descriptor.open(at: folder.rawValue, name, flags, mode: 0o600)
    do throws(Errno) {
      try DirectoryNames.remove(at: folder.rawValue, name)
      return file
    } catch {
      throw SystemError(error, call: "unlink", object: directory.displayText)
    }
  }
}
