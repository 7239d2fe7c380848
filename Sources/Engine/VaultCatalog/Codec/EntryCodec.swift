import VaultModel

/// What the `attributes` column holds: an entry without its name, device, inode and content identifier.
///
/// - Layout: version (1), file type, flags; then in LEB128 mode, owner, group, link count, size; the three times, each
///   as
///   zigzag seconds and nanoseconds; with flag 4 the special device; with flag 2 the link target's length and bytes;
///   with flag 8 the inode flags; with flag 16 the extended attributes' length and 32 bytes of digest;
///   with flag 1 the seal: algorithm, flags, 32 bytes of digest, size in LEB128. The first two bytes mean the same in
///   every version.
enum EntryCodec {
  static let version: UInt8 = 1
  static let flagsOffset = 2

  static let sealedFlag: UInt8 = 1
  static let linkTargetFlag: UInt8 = 2
  static let specialDeviceFlag: UInt8 = 4
  static let inodeFlagsFlag: UInt8 = 8
  static let extendedFlag: UInt8 = 16
  private static let knownFlags = sealedFlag | linkTargetFlag | specialDeviceFlag | inodeFlagsFlag | extendedFlag

  /// What a blob says.
  struct Decoded {
    var attributes: FileAttributes
    var linkTarget: ByteString
    var seal: SealedContent?
    /// Length and digest of the extended attributes.
    var extended: (byteCount: UInt32, digest: Digest256)?
  }

  /// Appends an entry's blob, without a seal.
  static func append(_ entry: Entry, to buffer: inout ScratchBuffer) {
    let attributes = entry.attributes
    buffer.append(version)
    buffer.append(attributes.type.rawValue)
    var flags: UInt8 = 0
    if entry.linkTarget.count > 0 { flags |= linkTargetFlag }
    if attributes.specialDevice != 0 { flags |= specialDeviceFlag }
    if !attributes.inodeFlags.isEmpty { flags |= inodeFlagsFlag }
    if entry.extended != nil { flags |= extendedFlag }
    buffer.append(flags)
    buffer.append(variable: UInt64(attributes.mode))
    buffer.append(variable: UInt64(attributes.owner))
    buffer.append(variable: UInt64(attributes.group))
    buffer.append(variable: UInt64(attributes.linkCount))
    buffer.append(variable: attributes.size)
    append(attributes.modified, to: &buffer)
    append(attributes.changed, to: &buffer)
    append(attributes.accessed, to: &buffer)
    if attributes.specialDevice != 0 { buffer.append(variable: attributes.specialDevice) }
    if entry.linkTarget.count > 0 {
      buffer.append(variable: UInt64(entry.linkTarget.count))
      entry.linkTarget.bytes.withUnsafeBytes { buffer.append($0) }
    }
    if !attributes.inodeFlags.isEmpty { buffer.append(variable: UInt64(attributes.inodeFlags.rawValue)) }
    if let extended = entry.extended {
      buffer.append(variable: UInt64(extended.byteCount))
      extended.digest.withBytes { buffer.append($0) }
    }
  }

  /// Appends the seal to the blob that begins at `start` and ends the buffer.
  static func appendSeal(_ seal: SealedContent, toBlobAt start: Int, in buffer: inout ScratchBuffer) {
    buffer.setBits(sealedFlag, at: start + flagsOffset)
    buffer.append(seal.algorithm.rawValue)
    buffer.append(seal.flags.rawValue)
    seal.digest.withBytes { buffer.append($0) }
    buffer.append(variable: seal.size)
  }

  /// Reads a blob; nil when it is not one of ours.
  static func decode(_ blob: UnsafeRawBufferPointer, device: UInt64, inode: UInt64) -> Decoded? {
    var reader = ByteReader(blob)
    guard reader.byte() == version, let rawType = reader.byte(), let type = FileType(rawValue: rawType),
      let flags = reader.byte(), flags & ~knownFlags == 0,
      let mode = reader.variable32(), let owner = reader.variable32(), let group = reader.variable32(),
      let linkCount = reader.variable32(), let size = reader.variable(), let modified = time(&reader),
      let changed = time(&reader), let accessed = time(&reader)
    else { return nil }
    var decoded = Decoded(
      attributes: FileAttributes(
        type: type, mode: mode, owner: owner, group: group, device: device, inode: inode, linkCount: linkCount,
        size: size, modified: modified, changed: changed, accessed: accessed),
      linkTarget: ByteString([UInt8]()), seal: nil)
    if flags & specialDeviceFlag != 0 {
      guard let number = reader.variable() else { return nil }
      decoded.attributes.specialDevice = number
    }
    if flags & linkTargetFlag != 0 {
      guard let length = reader.variable(), let target = reader.take(length) else { return nil }
      decoded.linkTarget = ByteString(target)
    }
    if flags & inodeFlagsFlag != 0 {
      guard let bits = reader.variable32() else { return nil }
      decoded.attributes.inodeFlags = InodeFlags(rawValue: bits)
    }
    if flags & extendedFlag != 0 {
      guard let byteCount = reader.variable32(), let bytes = reader.take(32), let digest = Digest256(bytes: bytes)
      else { return nil }
      decoded.extended = (byteCount, digest)
    }
    if flags & sealedFlag != 0 {
      guard let seal = seal(&reader) else { return nil }
      decoded.seal = seal
    }
    return reader.isAtEnd ? decoded : nil
  }

  private static func append(_ time: FileTime, to buffer: inout ScratchBuffer) {
    buffer.append(variable: UInt64(bitPattern: (time.seconds << 1) ^ (time.seconds >> 63)))
    buffer.append(variable: UInt64(time.nanoseconds))
  }

  private static func time(_ reader: inout ByteReader) -> FileTime? {
    guard let zigzag = reader.variable(), let nanoseconds = reader.variable32() else { return nil }
    return FileTime(seconds: Int64(bitPattern: (zigzag >> 1) ^ (0 &- (zigzag & 1))), nanoseconds: nanoseconds)
  }

  private static func seal(_ reader: inout ByteReader) -> SealedContent? {
    guard let rawAlgorithm = reader.byte(), let algorithm = DigestAlgorithm(rawValue: rawAlgorithm),
      let flags = reader.byte(), let bytes = reader.take(32), let digest = Digest256(bytes: bytes),
      let size = reader.variable()
    else { return nil }
    return SealedContent(size: size, algorithm: algorithm, digest: digest, flags: SealFlags(rawValue: flags))
  }
}
