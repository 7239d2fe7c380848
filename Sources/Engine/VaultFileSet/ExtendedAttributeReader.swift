import struct SystemPackage.Errno
import VaultModel
import VaultProtocol
import VaultSystem

/// Reads all extended attributes of a file into a list, in memory that is used again and again: one for each thread.
///
/// A file that has none costs one call and no allocation.
package struct ExtendedAttributeReader: ~Copyable {
  /// What Linux gives at most, of names and of a value.
  private static let bufferByteCount = 64 * 1024
  /// Room for the names that files usually have.
  private static let fewNamesByteCount = 256

  private let names = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferByteCount, alignment: 16)
  private let value = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferByteCount, alignment: 16)
  private var writer = ByteWriter()

  package init() {}

  deinit {
    names.deallocate()
    value.deallocate()
  }

  /// What was read last, as `ExtendedAttributeList` has it; empty when there are none. Lent until the next reading.
  package var list: UnsafeRawBufferPointer { writer.bytes }

  /// Reads the attributes of an open file.
  ///
  /// - Returns: the first error number that kept an attribute from being read, or 0; what could be read is in the list.
  package mutating func read(of descriptor: Int32) -> Int32 { read(.descriptor(descriptor)) }

  /// Reads the attributes of a name that cannot be opened, or should not be; a symbolic link is not followed.
  ///
  /// - Returns: as for an open file; a name that is gone has none.
  package mutating func read(in directory: WalkDirectory, name: ByteString) -> Int32 {
    let number = name.bytes.withUnsafeBytes { name in
      AttributedObject.withName(at: directory.descriptor, name) { read($0) }
    }
    guard number == Errno.noSuchFileOrDirectory.rawValue else { return number }
    // Without /proc every name seems to be gone.
    do throws(Errno) { _ = try FileStatus.read(at: directory.descriptor, name: name) } catch { return 0 }
    return number
  }

  private mutating func read(_ object: AttributedObject) -> Int32 {
    // A list of many megabytes is rare: its memory is not kept.
    if writer.count > 1 << 20 { writer = ByteWriter() }
    writer.removeAll()
    let count: Int
    do throws(Errno) { count = try listNames(of: object) } catch {
      return error == .notSupported || error == .noFunction ? 0 : error.rawValue
    }
    return count == 0 ? 0 : readValues(of: object, nameByteCount: count)
  }

  /// Fills `names`; asks for few first, since the kernel allocates as much as it may fill, for each file.
  private func listNames(of object: AttributedObject) throws(Errno) -> Int {
    let few = UnsafeMutableRawBufferPointer(rebasing: names[..<Self.fewNamesByteCount])
    do throws(Errno) { return try object.listNames(into: few) } catch {
      guard error == .outOfRange else { throw error }
      return try object.listNames(into: names)
    }
  }

  private mutating func readValues(of object: AttributedObject, nameByteCount: Int) -> Int32 {
    let all = UnsafeRawBufferPointer(rebasing: names[..<nameByteCount])
    let sorted = all.split(separator: 0).map { UnsafeRawBufferPointer(rebasing: $0) }
      .sorted { compareBytes($0, $1) < 0 }
    var failure: Int32 = 0
    for name in sorted {
      guard let pointer = name.baseAddress?.assumingMemoryBound(to: CChar.self) else { continue }
      do throws(Errno) {
        let count = try object.read(pointer, into: value)
        let size = ExtendedAttributeList.overhead + name.count + count
        guard writer.count + size <= GroupLimits.extendedListLimit else { throw .argListTooLong }
        ExtendedAttributeList.append(
          name: name, value: UnsafeRawBufferPointer(rebasing: value[..<count]), to: &writer)
      } catch {
        // Removed since the names were listed, or listed by a file system that does not keep it.
        if error == .noData || error == .notSupported { continue }
        if failure == 0 { failure = error.rawValue }
      }
    }
    return failure
  }
}
