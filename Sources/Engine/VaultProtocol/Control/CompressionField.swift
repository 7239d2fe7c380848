import VaultModel

extension ControlLine {
  private static let compressionKey = "compression"

  /// How the file daemon is to compress a backup: LZ4 where the line does not say it.
  package func compression() throws(ControlError) -> Compression {
    guard self[Self.compressionKey] != nil else { return .lz4 }
    guard let compression = Compression(reading: try text(Self.compressionKey)) else {
      throw ControlError(.malformedField(Self.compressionKey), line: verb)
    }
    return compression
  }

  /// Says it, where it is not LZ4.
  package mutating func set(_ compression: Compression) {
    if compression != .lz4 { set(Self.compressionKey, ByteString(compression.text)) }
  }
}
