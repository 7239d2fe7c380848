import VaultModel

/// Entry records to bytes and back; the byte table is in vault-volume(5).
package enum EntryCodec {
  static let fixedByteCount = 112
  /// The value of the tag of extended attributes.
  static let extendedReferenceByteCount: UInt32 = 64

  /// Tags of what follows the fixed part, the name and the content reference.
  enum Tag {
    static let linkTarget: UInt16 = 1
    static let extendedAttributes: UInt16 = 2
    static let criticalFlag: UInt16 = 1
  }

  enum ContentForm: UInt8 {
    case none = 0
    case own = 1
    case stored = 2
    case extents = 3
  }

  // MARK: Decoding

  static func decode(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> Record {
    var reader = ByteReader(payload, "entry record")
    let index = try reader.index()
    let directory = try reader.index()
    let typeNumber: UInt8 = try reader.integer()
    let formNumber: UInt8 = try reader.integer()
    let nameLength: UInt16 = try reader.integer()
    guard let type = FileType(rawValue: typeNumber), let form = ContentForm(rawValue: formNumber) else {
      throw reader.error(.outOfBounds)
    }
    let attributes = try decodeAttributes(type, from: &reader)
    let name = try NameRules.name(try reader.take(Int(nameLength)), in: reader)
    let content = try decodeContent(form, from: &reader)
    guard (type == .regular) == (form != .none) else { throw reader.error(.malformed) }
    var entry = Entry(name: name, attributes: attributes, content: content)
    try decodeTags(of: &entry, from: &reader)
    guard (type == .symbolicLink) == !entry.linkTarget.isEmpty else { throw reader.error(.malformed) }
    return .entry(index: index, directory: directory, entry)
  }

  @inline(__always)
  private static func decodeAttributes(
    _ type: FileType, from reader: inout ByteReader
  ) throws(FormatError) -> FileAttributes {
    let mode: UInt32 = try reader.integer()
    let owner: UInt32 = try reader.integer()
    let group: UInt32 = try reader.integer()
    let inode: UInt64 = try reader.integer()
    let device: UInt64 = try reader.integer()
    let linkCount: UInt32 = try reader.integer()
    let modifiedNanoseconds: UInt32 = try reader.integer()
    let modifiedSeconds: Int64 = try reader.integer()
    let changedSeconds: Int64 = try reader.integer()
    let changedNanoseconds: UInt32 = try reader.integer()
    let accessedNanoseconds: UInt32 = try reader.integer()
    let accessedSeconds: Int64 = try reader.integer()
    let size: UInt64 = try reader.integer()
    let specialDevice: UInt64 = try reader.integer()
    let flags: UInt32 = try reader.integer()
    let inodeFlags = InodeFlags(rawValue: try reader.integer())
    guard mode <= 0o7777, size <= UInt64(Int64.max), flags == 0, inodeFlags.isSubset(of: .settable),
      max(modifiedNanoseconds, changedNanoseconds, accessedNanoseconds) < 1_000_000_000
    else { throw reader.error(.outOfBounds) }
    return FileAttributes(
      type: type, mode: mode, owner: owner, group: group, device: device, inode: inode, linkCount: linkCount,
      size: size,
      modified: FileTime(seconds: modifiedSeconds, nanoseconds: modifiedNanoseconds),
      changed: FileTime(seconds: changedSeconds, nanoseconds: changedNanoseconds),
      accessed: FileTime(seconds: accessedSeconds, nanoseconds: accessedNanoseconds), specialDevice: specialDevice,
      inodeFlags: inodeFlags)
  }

  private static func decodeContent(
    _ form: ContentForm, from reader: inout ByteReader
  ) throws(FormatError) -> ContentReference {
    switch form {
    case .none: return .none
    case .own: return .own
    case .stored:
      let session = try reader.identifier()
      let index = try reader.index()
      return .stored(ContentIdentifier(session: session, index: index), try sealedContent(from: &reader))
    case .extents: return try decodeExtents(from: &reader)
    }
  }

  private static func decodeExtents(from reader: inout ByteReader) throws(FormatError) -> ContentReference {
    let size: UInt64 = try reader.integer()
    let algorithmNumber: UInt8 = try reader.integer()
    let flags: UInt8 = try reader.integer()
    try reader.zeros(2)
    let count: UInt32 = try reader.integer()
    let digest = try reader.digest()
    guard let algorithm = DigestAlgorithm(rawValue: algorithmNumber), size <= UInt64(Int64.max),
      Int(count) <= reader.remaining / 40, flags < 8
    else { throw reader.error(.outOfBounds) }
    var extents: [Extent] = []
    extents.reserveCapacity(Int(count))
    for _ in 0..<count {
      let session = try reader.identifier()
      let group = try reader.index()
      let rawOffset: UInt32 = try reader.integer()
      let length: UInt32 = try reader.integer()
      let fileOffset: UInt64 = try reader.integer()
      guard fileOffset <= size, UInt64(length) <= size - fileOffset,
        UInt64(rawOffset) + UInt64(length) <= GroupLimits.rawLimit
      else { throw reader.error(.outOfBounds) }
      extents.append(
        Extent(session: session, group: group, rawOffset: rawOffset, length: length, fileOffset: fileOffset))
    }
    return .extents(
      extents, SealedContent(size: size, algorithm: algorithm, digest: digest, flags: SealFlags(rawValue: flags)))
  }

  static func sealedContent(from reader: inout ByteReader) throws(FormatError) -> SealedContent {
    let size: UInt64 = try reader.integer()
    let algorithmNumber: UInt8 = try reader.integer()
    let flags: UInt8 = try reader.integer()
    try reader.zeros(6)
    let digest = try reader.digest()
    guard let algorithm = DigestAlgorithm(rawValue: algorithmNumber), size <= UInt64(Int64.max), flags < 8 else {
      throw reader.error(.outOfBounds)
    }
    return SealedContent(size: size, algorithm: algorithm, digest: digest, flags: SealFlags(rawValue: flags))
  }

  private static func decodeTags(of entry: inout Entry, from reader: inout ByteReader) throws(FormatError) {
    while !reader.isAtEnd {
      let tag: UInt16 = try reader.integer()
      let flags: UInt16 = try reader.integer()
      let length: UInt32 = try reader.integer()
      let bytes = try reader.take(Int(length))
      switch tag {
      case Tag.linkTarget:
        guard entry.linkTarget.isEmpty, !bytes.isEmpty, bytes.count <= 4095, !bytes.contains(0) else {
          throw reader.error(.outOfBounds)
        }
        entry.linkTarget = ByteString(bytes)
      case Tag.extendedAttributes:
        guard entry.extended == nil else { throw reader.error(.malformed) }
        entry.extended = try decodeExtended(bytes)
      default:
        if flags & Tag.criticalFlag != 0 { throw reader.error(.unknownCritical(UInt32(tag))) }
      }
    }
  }

  private static func decodeExtended(_ value: UnsafeRawBufferPointer) throws(FormatError) -> ExtendedReference {
    var reader = ByteReader(value, "entry record")
    let session = try reader.identifier()
    let index = try reader.index()
    let byteCount: UInt32 = try reader.integer()
    try reader.zeros(4)
    let digest = try reader.digest()
    guard reader.isAtEnd else { throw reader.error(.malformed) }
    guard byteCount > 0, byteCount <= GroupLimits.extendedListLimit else { throw reader.error(.outOfBounds) }
    return ExtendedReference(
      carrier: ContentIdentifier(session: session, index: index), byteCount: byteCount, digest: digest)
  }
}
