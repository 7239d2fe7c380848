import VaultModel

/// A commit point on its way from storage daemon to director: what comes before its groups and locations.
///
/// - Layout: number u64, attempt u32, count of frames that follow u32, volume count u32, volumes.
package struct CommitFrame: Hashable, Sendable {
  package var number: UInt64
  package var attempt: UInt32
  /// Attribute group and location frames that belong to the commit.
  package var frameCount: UInt32
  package var volumes: [Volume]

  package init(number: UInt64, attempt: UInt32, frameCount: UInt32, volumes: [Volume]) {
    self.number = number
    self.attempt = attempt
    self.frameCount = frameCount
    self.volumes = volumes
  }

  package func encoded() -> [UInt8] {
    var writer = ByteWriter()
    writer.integer(number)
    writer.integer(attempt)
    writer.integer(frameCount)
    VolumeList.write(volumes, to: &writer)
    return writer.array
  }

  package init(decoding payload: UnsafeRawBufferPointer) throws(FormatError) {
    var reader = ByteReader(payload, "commit frame")
    number = try reader.integer()
    attempt = try reader.integer()
    frameCount = try reader.integer()
    volumes = try VolumeList.read(from: &reader)
    guard number > 0, number <= UInt64(Int64.max), reader.isAtEnd else { throw reader.error(.malformed) }
  }
}

/// Volumes as a frame's payload: a count u32 and each volume.
package enum VolumeList {
  package static func encode(_ volumes: [Volume]) -> [UInt8] {
    var writer = ByteWriter()
    write(volumes, to: &writer)
    return writer.array
  }

  package static func decode(_ payload: UnsafeRawBufferPointer) throws(FormatError) -> [Volume] {
    var reader = ByteReader(payload, "volume list frame")
    let volumes = try read(from: &reader)
    guard reader.isAtEnd else { throw reader.error(.malformed) }
    return volumes
  }

  static func write(_ volumes: [Volume], to writer: inout ByteWriter) {
    writer.integer(UInt32(truncatingIfNeeded: volumes.count))
    for volume in volumes { LocationCodec.write(volume, to: &writer) }
  }

  static func read(from reader: inout ByteReader) throws(FormatError) -> [Volume] {
    let count: UInt32 = try reader.integer()
    guard Int(count) <= reader.remaining / 34 else { throw reader.error(.outOfBounds) }
    var volumes: [Volume] = []
    for _ in 0..<count { volumes.append(try LocationCodec.volume(from: &reader)) }
    return volumes
  }
}
