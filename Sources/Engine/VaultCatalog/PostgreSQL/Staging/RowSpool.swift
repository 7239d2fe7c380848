import VaultSystem
import struct SystemPackage.Errno

/// Rows in the form of `COPY BINARY`: in memory and, beyond a limit, in a file without a name.
///
/// They can be sent as often as it takes.
final class RowSpool {
  private static let memoryLimit = 4 << 20
  private static let header: [UInt8] =
    Array("PGCOPY\n".utf8) + [0xff] + Array("\r\n".utf8) + [0] + [0, 0, 0, 0] + [0, 0, 0, 0]
  private static let trailer: [UInt8] = [0xff, 0xff]

  private var memory = ScratchBuffer(capacity: 4096)
  private var file: Descriptor?
  private var fileByteCount: Int64 = 0
  /// How many bytes went to the file at a time: whole rows each.
  private var spillByteCounts: [Int] = []
  private(set) var rowCount: Int64 = 0

  var isEmpty: Bool { rowCount == 0 }

  // MARK: Writing

  /// Begins a row; its fields follow, in the order of the table's columns.
  func beginRow(fieldCount: Int16) throws(CatalogError) {
    if memory.count >= Self.memoryLimit { try spill() }
    memory.append(bigEndian: fieldCount)
    rowCount += 1
  }

  func append(_ value: Int64) {
    memory.append(bigEndian: Int32(8))
    memory.append(bigEndian: value)
  }

  func append(_ value: Int64?) {
    if let value { append(value) } else { appendNull() }
  }

  func append(_ bytes: UnsafeRawBufferPointer) {
    memory.append(bigEndian: Int32(truncatingIfNeeded: bytes.count))
    memory.append(bytes)
  }

  func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

  func appendNull() { memory.append(bigEndian: Int32(-1)) }

  private func spill() throws(CatalogError) {
    do throws(SystemError) {
      if file == nil { file = try TemporaryFile.open(in: TemporaryFile.defaultDirectory) }
    } catch {
      throw CatalogError(.callerFailed, error.description, cause: error)
    }
    try write(memory.bytes(0..<memory.count))
    fileByteCount += Int64(memory.count)
    spillByteCounts.append(memory.count)
    memory.truncate(to: 0)
  }

  private func write(_ bytes: UnsafeRawBufferPointer) throws(CatalogError) {
    do throws(Errno) {
      switch file {
      case .some(let file): try file.writeAll(bytes, at: fileByteCount)
      case .none: break
      }
    } catch {
      let failure = SystemError(error, call: "write", object: "a temporary file")
      throw CatalogError(.callerFailed, failure.description, cause: failure)
    }
  }

  // MARK: Sending

  /// Hands everything to a `COPY`; `change`, if given, may change rows on their way, a number of whole rows at a time, and
  /// tells how many bytes of them go on.
  func send(
    changing change: ((UnsafeMutableRawBufferPointer) throws(CatalogError) -> Int)? = nil,
    to sink: (UnsafeRawBufferPointer) throws(CatalogError) -> Void
  ) throws(CatalogError) {
    try send(Self.header, sink)
    var offset: Int64 = 0
    for byteCount in spillByteCounts + [memory.count] where byteCount > 0 {
      let rows = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
      defer { rows.deallocate() }
      if offset < fileByteCount {
        try read(rows, at: offset)
        offset += Int64(byteCount)
      } else {
        rows.copyMemory(from: memory.bytes(0..<byteCount))
      }
      let count = try change?(rows) ?? byteCount
      if count > 0 { try sink(UnsafeRawBufferPointer(rebasing: rows[..<count])) }
    }
    try send(Self.trailer, sink)
  }

  private func send(
    _ bytes: [UInt8], _ sink: (UnsafeRawBufferPointer) throws(CatalogError) -> Void
  ) throws(CatalogError) {
    var buffer = ScratchBuffer(capacity: bytes.count)
    bytes.withUnsafeBytes { buffer.append($0) }
    try sink(buffer.bytes(0..<buffer.count))
  }

  private func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(CatalogError) {
    var done = 0
    while done < buffer.count {
      done += try readSome(UnsafeMutableRawBufferPointer(rebasing: buffer[done...]), at: offset + Int64(done))
    }
  }

  private func readSome(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(CatalogError) -> Int {
    do throws(Errno) {
      var count = 0
      switch file {
      case .some(let file): count = try file.read(into: buffer, at: offset)
      case .none: break
      }
      guard count > 0 else { throw .ioError }
      return count
    } catch {
      let failure = SystemError(error, call: "read", object: "a temporary file")
      throw CatalogError(.callerFailed, failure.description, cause: failure)
    }
  }
}

extension ScratchBuffer {
  fileprivate mutating func append<Value: FixedWidthInteger>(bigEndian value: Value) {
    append(littleEndian: value.byteSwapped)
  }
}
