import VaultModel

/// Group locations, commits and inode questions as frame payloads; the byte tables are in vault-protocol(7).
package enum LocationCodec {
  private static let locationByteCount = 60
  /// Locations in one frame at most.
  package static let locationsPerFrame = 16_384

  // MARK: Group locations, 60 bytes each

  package static func write(_ location: GroupLocation, to writer: inout ByteWriter) {
    writer.integer(location.group)
    writer.integer(location.firstEntry)
    writer.integer(location.firstOffset)
    writer.identifier(location.volume)
    writer.integer(location.block.file)
    writer.integer(location.block.block)
    writer.integer(location.storedLength)
    writer.integer(location.rawLength)
    writer.integer(UInt32(location.kind.rawValue))
  }

  package static func location(from reader: inout ByteReader) throws(FormatError) -> GroupLocation {
    let group: UInt64 = try reader.integer()
    let firstEntry: UInt64 = try reader.integer()
    let firstOffset: UInt64 = try reader.integer()
    let volume = try reader.identifier()
    let file: UInt32 = try reader.integer()
    let block: UInt32 = try reader.integer()
    let storedLength: UInt32 = try reader.integer()
    let rawLength: UInt32 = try reader.integer()
    let kindNumber: UInt32 = try reader.integer()
    guard let kind = UInt8(exactly: kindNumber).flatMap({ GroupKind(rawValue: $0) }), group <= UInt64(Int64.max),
      firstEntry <= UInt64(Int64.max), firstOffset <= UInt64(Int64.max), rawLength <= GroupLimits.rawLimit,
      storedLength <= GroupLimits.storedLimit
    else { throw reader.error(.outOfBounds) }
    return GroupLocation(
      group: group, kind: kind, firstEntry: firstEntry, firstOffset: firstOffset, volume: volume,
      block: BlockAddress(file: file, block: block), storedLength: storedLength, rawLength: rawLength)
  }

  package static func locations(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> [GroupLocation] {
    var reader = ByteReader(payload, "group locations frame")
    guard payload.count % locationByteCount == 0 else { throw reader.error(.malformed) }
    var locations: [GroupLocation] = []
    locations.reserveCapacity(payload.count / locationByteCount)
    while !reader.isAtEnd { locations.append(try location(from: &reader)) }
    return locations
  }

  // MARK: Needed sessions, 24 bytes each

  package static let neededSessionsPerFrame = 65_536

  package static func write(session: UniqueIdentifier, lastGroup: UInt64, to writer: inout ByteWriter) {
    writer.identifier(session)
    writer.integer(lastGroup)
  }

  package static func neededSessions(
    _ payload: UnsafeRawBufferPointer
  ) throws(FormatError) -> [(session: UniqueIdentifier, lastGroup: UInt64)] {
    var reader = ByteReader(payload, "needed sessions frame")
    var sessions: [(session: UniqueIdentifier, lastGroup: UInt64)] = []
    while !reader.isAtEnd { sessions.append((try reader.identifier(), try reader.index())) }
    return sessions
  }

  // MARK: Groups of one volume, 12 bytes each

  /// Groups in one frame at most.
  package static let groupsPerFrame = 65_536

  package static func write(_ group: BlockGroup, to writer: inout ByteWriter) {
    writer.integer(group.block)
    writer.integer(group.group)
  }

  package static func neededGroups(
    _ payload: UnsafeRawBufferPointer
  ) throws(FormatError) -> [BlockGroup] {
    var reader = ByteReader(payload, "needed groups frame")
    return try groups(from: &reader)
  }

  package static func movedGroups(
    _ payload: UnsafeRawBufferPointer
  ) throws(FormatError) -> (session: UniqueIdentifier, groups: [BlockGroup]) {
    var reader = ByteReader(payload, "moved groups frame")
    return (try reader.identifier(), try groups(from: &reader))
  }

  private static func groups(
    from reader: inout ByteReader
  ) throws(FormatError) -> [BlockGroup] {
    var groups: [BlockGroup] = []
    while !reader.isAtEnd { groups.append(BlockGroup(block: try reader.integer(), group: try reader.index())) }
    return groups
  }

  // MARK: Volumes

  package static func write(_ volume: Volume, to writer: inout ByteWriter) {
    writer.identifier(volume.identifier)
    writer.integer(volume.end.file)
    writer.integer(volume.end.block)
    writer.integer(volume.labeled.nanoseconds)
    writer.integer(UInt8(VolumeStatus.allCases.firstIndex(of: volume.status) ?? 0))
    writer.integer(UInt8(truncatingIfNeeded: volume.name.utf8.count))
    writer.append(ByteString(volume.name))
  }

  package static func volume(from reader: inout ByteReader) throws(FormatError) -> Volume {
    let identifier = try reader.identifier()
    let file: UInt32 = try reader.integer()
    let block: UInt32 = try reader.integer()
    let labeled: Int64 = try reader.integer()
    let statusNumber: UInt8 = try reader.integer()
    let nameLength: UInt8 = try reader.integer()
    let name = ByteString(try reader.take(Int(nameLength)))
    guard VolumeStatus.allCases.indices.contains(Int(statusNumber)), let text = name.text else {
      throw reader.error(.outOfBounds)
    }
    return Volume(
      identifier: identifier, name: text, status: VolumeStatus.allCases[Int(statusNumber)],
      end: BlockAddress(file: file, block: block), labeled: Timestamp(nanoseconds: labeled))
  }

  // MARK: Inode questions, 36 bytes each, and their answers as entry records

  package static func writeQuestion(
    device: UInt64, inode: UInt64, size: UInt64, modified: FileTime, to writer: inout ByteWriter
  ) {
    writer.integer(device)
    writer.integer(inode)
    writer.integer(size)
    writer.integer(modified.seconds)
    writer.integer(modified.nanoseconds)
  }

  package static func question(
    from reader: inout ByteReader
  ) throws(FormatError) -> (device: UInt64, inode: UInt64, size: UInt64, modified: FileTime) {
    let device: UInt64 = try reader.integer()
    let inode: UInt64 = try reader.integer()
    let size: UInt64 = try reader.integer()
    let seconds: Int64 = try reader.integer()
    let nanoseconds: UInt32 = try reader.integer()
    guard nanoseconds < 1_000_000_000 else { throw reader.error(.outOfBounds) }
    return (device, inode, size, FileTime(seconds: seconds, nanoseconds: nanoseconds))
  }

  /// An answer: whether a content is known, and which; 73 bytes.
  package static func writeAnswer(_ content: ContentReference?, to writer: inout ByteWriter) {
    guard case .stored(let identifier, let sealed)? = content else {
      writer.integer(0 as UInt8)
      return
    }
    writer.integer(1 as UInt8)
    writer.identifier(identifier.session)
    writer.integer(identifier.index)
    writer.integer(sealed.size)
    writer.integer(sealed.algorithm.rawValue)
    writer.integer(sealed.flags.rawValue)
    writer.zeros(6)
    writer.digest(sealed.digest)
  }

  package static func answer(from reader: inout ByteReader) throws(FormatError) -> ContentReference? {
    let isKnown: UInt8 = try reader.integer()
    guard isKnown != 0 else { return nil }
    let session = try reader.identifier()
    let index: UInt64 = try reader.integer()
    return .stored(ContentIdentifier(session: session, index: index), try EntryCodec.sealedContent(from: &reader))
  }

  /// A location as a field of a line.
  package static func field(_ location: GroupLocation) -> ByteString {
    var writer = ByteWriter()
    write(location, to: &writer)
    return ByteString(writer.array)
  }

  /// Reads such a field.
  package static func location(field: ByteString) throws(FormatError) -> GroupLocation {
    let result = field.bytes.withUnsafeBytes { raw -> Swift.Result<GroupLocation, FormatError> in
      var reader = ByteReader(raw, "location field")
      do throws(FormatError) { return .success(try location(from: &reader)) } catch { return .failure(error) }
    }
    return try result.get()
  }
}
