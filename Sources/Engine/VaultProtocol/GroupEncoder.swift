import VaultCompression
import VaultCrypto
import VaultModel

/// Makes whole groups from raw records; one for each thread.
package struct GroupEncoder: ~Copyable {
  private enum Compressor: ~Copyable {
    case none
    case lz4
    case zstd(ZstdCompressor)
  }

  /// What of a group's header is known before its bytes are compressed.
  package struct Position: Sendable {
    package var kind: GroupKind
    package var flags: UInt32
    package var session: UniqueIdentifier
    package var attempt: UInt32
    package var firstEntry: UInt64
    package var firstOffset: UInt64
    package init(
      kind: GroupKind, flags: UInt32, session: UniqueIdentifier, attempt: UInt32, firstEntry: UInt64,
      firstOffset: UInt64
    ) {
      self.kind = kind
      self.flags = flags
      self.session = session
      self.attempt = attempt
      self.firstEntry = firstEntry
      self.firstOffset = firstOffset
    }
  }

  private let compressor: Compressor

  private init(_ compressor: consuming Compressor) { self.compressor = compressor }

  package init(_ compression: Compression) throws(CompressionError) {
    switch compression {
    case .none: compressor = .none
    case .lz4: compressor = .lz4
    case .zstd(let level): compressor = .zstd(try ZstdCompressor(level: level))
    }
  }

  /// Stores everything as it is.
  package static var plain: GroupEncoder { GroupEncoder(Compressor.none) }
  /// Compresses with LZ4.
  package static var lz4: GroupEncoder { GroupEncoder(Compressor.lz4) }

  /// Compresses `raw` behind the room for a header in `output`; what does not shrink is stored plain.
  ///
  /// Who numbers groups later gives no number, sets it in the header returned, and encodes that again over the first one.
  /// - Bounds: `raw` at most `GroupLimits.rawLimit`; `output` at least header and `raw`.
  /// - Returns: the header, and the group's length is its `totalByteCount`.
  package func encode(
    _ raw: UnsafeRawBufferPointer, recordCount: UInt32, _ position: Position, number: UInt64 = 0,
    into output: UnsafeMutableRawBufferPointer
  ) throws(FormatError) -> GroupHeader {
    guard raw.count <= GroupLimits.rawLimit, output.count >= GroupHeader.byteCount + raw.count else {
      throw FormatError(.outOfBounds, "record group to be written")
    }
    let room = UnsafeMutableRawBufferPointer(rebasing: output[GroupHeader.byteCount...])
    var codec = GroupHeader.Codec.none
    var storedLength = raw.count
    // One byte less than plain: what does not shrink is not worth a decompression.
    if raw.count > 64,
      let packed = compress(raw, into: UnsafeMutableRawBufferPointer(rebasing: room[..<(raw.count - 1)]))
    {
      codec = packed.codec
      storedLength = packed.length
    } else {
      room.copyMemory(from: raw)
    }
    let stored = UnsafeRawBufferPointer(rebasing: room[..<storedLength])
    let header = GroupHeader(
      kind: position.kind, codec: codec, flags: position.flags, session: position.session, attempt: position.attempt,
      recordCount: recordCount, number: number, firstEntry: position.firstEntry, firstOffset: position.firstOffset,
      rawLength: UInt32(raw.count), storedLength: UInt32(storedLength), digest: XXH3.checksum128(stored))
    header.encode(into: output)
    return header
  }

  /// - Returns: nil when `room` is too small for what comes of it.
  private func compress(
    _ raw: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) -> (codec: GroupHeader.Codec, length: Int)? {
    switch compressor {
    case .none: nil
    case .lz4: LZ4.compress(raw, into: room).map { (.lz4, $0) }
    case .zstd(let compressor): compressor.compress(raw, into: room).map { (.zstd, $0) }
    }
  }
}
