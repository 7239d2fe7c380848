import CLinux
import struct SystemPackage.Errno

/// What somebody hands to the process.
package enum StandardInput {
  /// Reads to the end; waits for whoever writes it.
  ///
  /// - Throws: `SystemError` with `fileTooLarge` when there is more than `limit`.
  package static func read(limit: Int) throws(SystemError) -> [UInt8] {
    let number = retryingOnInterrupt { CLinux.dup(STDIN_FILENO) }
    guard number >= 0 else { throw SystemError.current("read", "standard input") }
    do throws(Errno) { return try Descriptor(owning: number).readToEnd(limit: limit) } catch {
      throw SystemError(error, call: "read", object: "standard input")
    }
  }
}

extension Descriptor {
  /// Reads from the file's position to its end.
  ///
  /// - Throws: `fileTooLarge` when there is more than `limit`.
  func readToEnd(limit: Int) throws(Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: limit + 1)
    let result: Swift.Result<Int, Errno> = bytes.withUnsafeMutableBytes { buffer in
      do throws(Errno) {
        var done = 0
        while done < buffer.count {
          let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
          if count == 0 { break }
          done += count
        }
        return .success(done)
      } catch { return .failure(error) }
    }
    let count = try result.get()
    guard count <= limit else { throw .fileTooLarge }
    return Array(bytes[..<count])
  }
}
