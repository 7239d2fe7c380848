import struct SystemPackage.Errno
import Synchronization
import VaultModel
import VaultSystem

/// Lists of extended attributes that were fetched, for the threads that set them.
///
/// - Bounds: `memoryLimit` bytes of memory; what exceeds it lies in a temporary file.
final class ExtendedLists: Sendable {
  private enum Place {
    case memory(ByteString)
    case file(offset: Int64, byteCount: Int)
  }

  private struct State {
    var places: [ContentIdentifier: (digest: Digest256, place: Place)] = [:]
    var memoryByteCount = 0
    var file: SpillFile?
    var fileByteCount: Int64 = 0
  }

  /// What a list costs in memory beside its bytes, roughly.
  private static let overhead = 256

  private let state = Mutex(State())
  private let memoryLimit: Int

  init(memoryLimit: Int = 16 << 20) { self.memoryLimit = memoryLimit }

  /// Whether there are so many that those which nobody needs any more should go.
  var isTrimDue: Bool { state.withLock { $0.memoryByteCount > memoryLimit / 2 || $0.fileByteCount > 0 } }

  /// Makes room: nobody needs the lists any more that were fetched before.
  func trim() {
    state.withLock { state in
      state.places = [:]
      state.memoryByteCount = 0
      state.fileByteCount = 0
    }
  }

  /// Whether the list is there.
  func contains(_ reference: ExtendedReference) -> Bool {
    state.withLock { $0.places[reference.carrier]?.digest == reference.digest }
  }

  /// Keeps a list.
  ///
  /// - Throws: `SystemError` when the temporary file cannot be made or written.
  func add(_ reference: ExtendedReference, _ list: ByteString) throws {
    try state.withLock { state in
      let cost = list.count + Self.overhead
      var place = Place.memory(list)
      if state.memoryByteCount + cost > memoryLimit {
        let file = try state.file ?? SpillFile()
        state.file = file
        try file.write(list, at: state.fileByteCount)
        place = .file(offset: state.fileByteCount, byteCount: list.count)
        state.fileByteCount += Int64(list.count)
      } else {
        state.memoryByteCount += cost
      }
      state.places[reference.carrier] = (reference.digest, place)
    }
  }

  /// A row's list; one that cannot be had is told, and empty.
  func list(of row: PlanBatch.Row, _ report: RestoreReport) -> ByteString {
    do throws(SystemError) { return try list(row.entry.extended) } catch {
      report.problem(row.path, error.description)
      return ""
    }
  }

  /// A list's bytes; empty for no reference, and for a list that could not be fetched.
  ///
  /// - Throws: `SystemError` when the temporary file cannot be read.
  func list(_ reference: ExtendedReference?) throws(SystemError) -> ByteString {
    guard let reference else { return "" }
    let (place, file) = state.withLock { state -> (Place?, SpillFile?) in
      guard let found = state.places[reference.carrier], found.digest == reference.digest else { return (nil, nil) }
      return (found.place, state.file)
    }
    switch (place, file) {
    case (.memory(let list), _): return list
    case (.file(let offset, let byteCount), let file?): return try file.read(byteCount, at: offset)
    default: return ""
    }
  }
}

/// The temporary file of lists that exceed the memory.
private final class SpillFile: Sendable {
  private static let object = "the temporary file for extended attributes"

  private let descriptor: Descriptor

  init() throws(SystemError) { descriptor = try TemporaryFile.open(in: TemporaryFile.defaultDirectory) }

  func write(_ bytes: ByteString, at offset: Int64) throws(SystemError) {
    let error: Errno? = bytes.bytes.withUnsafeBytes { bytes in
      do throws(Errno) { try descriptor.writeAll(bytes, at: offset) } catch { return error }
      return nil
    }
    if let error { throw SystemError(error, call: "pwrite", object: Self.object) }
  }

  func read(_ byteCount: Int, at offset: Int64) throws(SystemError) -> ByteString {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    let error: Errno? = bytes.withUnsafeMutableBytes { buffer in
      do throws(Errno) {
        guard try descriptor.read(into: buffer, at: offset) == byteCount else { throw .ioError }
      } catch { return error }
      return nil
    }
    if let error { throw SystemError(error, call: "pread", object: Self.object) }
    return ByteString(bytes)
  }
}
