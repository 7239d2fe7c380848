import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// The file that marks a directory as a cache, as the Cache Directory Tagging Specification has it.
enum CacheTag {
  static let name: ByteString = "CACHEDIR.TAG"
  private static let signature: ByteString = "Signature: 8a477f597d28d172789f06886806bc55"

  @inline(__always)
  static func isName(_ name: UnsafeRawBufferPointer) -> Bool {
    name.count == Self.name.count && Self.name.bytes.withUnsafeBytes { orderOfBytes(name, $0) == 0 }
  }

  /// Whether the file begins as a tag must.
  static func isSigned(_ file: borrowing Descriptor) throws(Errno) -> Bool {
    var beginning = [UInt8](repeating: 0, count: signature.count)
    let result: Result<Int, Errno> = beginning.withUnsafeMutableBytes { buffer in
      do throws(Errno) { return .success(try file.read(into: buffer, at: 0)) } catch { return .failure(error) }
    }
    return try result.get() == signature.count && beginning == signature.bytes
  }
}

extension TreeWalker {
  /// Whether a directory that lists a tag is a cache. A tag that cannot be read, or is no regular file, marks nothing.
  mutating func isCache(_ directory: Int32) -> Bool {
    guard let tag = try? FileStatus.read(at: directory, name: CacheTag.name), tag.type == .regular else { return false }
    return CacheTag.name.withCString { name in
      do throws(Errno) {
        return try CacheTag.isSigned(try openPatiently(directory, name, [.readOnly, .nonBlocking, .noFollow]))
      } catch {
        return false
      }
    }
  }
}
