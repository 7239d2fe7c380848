import VaultCompression
import VaultCrypto
import VaultModel
import VaultProtocol
import VaultSystem

/// What becomes of a file's bytes in memory: digest, compression, whole record groups; on one thread.
enum DataMeasurement {
  private static let byteLimit = 256 << 20

  static func run(_ file: ByteString) throws {
    let content = try DurableFiles.read(file, limit: byteLimit)
    try content.withUnsafeBytes { bytes in
      try digest(bytes)
      try digestSmall(bytes)
      try compress(bytes)
      try group(bytes)
    }
  }

  private static func pieces(of bytes: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
    stride(from: 0, to: bytes.count, by: GroupLimits.contentDataLimit).map { start in
      UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + GroupLimits.contentDataLimit)])
    }
  }

  private static func digest(_ bytes: UnsafeRawBufferPointer) throws {
    var hasher = try SHA256Hasher()
    let watch = Stopwatch()
    try hasher.begin()
    for piece in pieces(of: bytes) { try hasher.update(piece) }
    _ = try hasher.finish()
    watch.report("SHA-256", bytes.count, "bytes")
  }

  /// Contents of 8 KiB, as many at once as a group has.
  private static func digestSmall(_ bytes: UnsafeRawBufferPointer) throws {
    var batch = try BatchHasher()
    var digests: [Digest256] = []
    let watch = Stopwatch()
    for piece in pieces(of: bytes) {
      for start in stride(from: 0, to: piece.count, by: 8192) {
        batch.add(UnsafeRawBufferPointer(rebasing: piece[start..<min(piece.count, start + 8192)]))
      }
      try batch.finish(into: &digests)
    }
    watch.report("SHA-256 of small contents", bytes.count, "bytes")
  }

  private static func compress(_ bytes: UnsafeRawBufferPointer) throws {
    let pieces = pieces(of: bytes)
    let room = LZ4.bound(GroupLimits.contentDataLimit)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: room * pieces.count, alignment: 4096)
    defer { memory.deallocate() }
    // The first touch of memory is the kernel's time, and none of LZ4's.
    for offset in stride(from: 0, to: memory.count, by: 4096) { memory[offset] = 1 }
    var lengths: [Int] = []
    let watch = Stopwatch()
    for (index, piece) in pieces.enumerated() {
      let output = UnsafeMutableRawBufferPointer(rebasing: memory[(index * room)..<((index + 1) * room)])
      guard let length = LZ4.compress(piece, into: output) else { throw MeasurementError("LZ4 does not compress") }
      lengths.append(length)
    }
    watch.report("LZ4 compression", bytes.count, "bytes")
    try restore(pieces.map(\.count), lengths, memory, room: room)
  }

  private static func restore(
    _ sizes: [Int], _ lengths: [Int], _ memory: UnsafeMutableRawBufferPointer, room: Int
  ) throws {
    let output = UnsafeMutableRawBufferPointer.allocate(byteCount: GroupLimits.contentDataLimit, alignment: 4096)
    defer { output.deallocate() }
    output.initializeMemory(as: UInt8.self, repeating: 0)
    let watch = Stopwatch()
    for (index, size) in sizes.enumerated() {
      let input = UnsafeRawBufferPointer(rebasing: memory[(index * room)..<(index * room + lengths[index])])
      guard LZ4.decompress(input, into: UnsafeMutableRawBufferPointer(rebasing: output[..<size])) else {
        throw MeasurementError("LZ4 does not give back what it compressed")
      }
    }
    watch.report("LZ4 decompression", sizes.reduce(0, +), "bytes")
  }

  /// Records behind their headers, compressed, with checksum and group header: all but the digest of the file.
  private static func group(_ bytes: UnsafeRawBufferPointer) throws {
    let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: GroupLimits.rawLimit, alignment: 4096)
    let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer {
      raw.deallocate()
      stored.deallocate()
    }
    let position = GroupEncoder.Position(
      kind: .data, flags: 0, session: UniqueIdentifier(high: 1, low: 1), attempt: 1, firstEntry: 1, firstOffset: 0)
    let watch = Stopwatch()
    for piece in pieces(of: bytes) {
      var builder = DataGroupBuilder(raw)
      builder.nextContent.copyMemory(from: piece)
      builder.append(index: 1, offset: 0, byteCount: piece.count)
      _ = try GroupEncoder.lz4.encode(
        builder.bytes, recordCount: builder.recordCount, position, number: 1, into: stored)
    }
    watch.report("group assembly", bytes.count, "bytes")
  }
}
