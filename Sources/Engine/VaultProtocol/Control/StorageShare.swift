import VaultModel

/// One of several storage daemons that a restore reads from, and the volumes that it reads there.
///
/// - Layout: a frame of kind *storage route*: the length of a line u32, the line `storage` with the fields of a `StorageRoute`, and
///   a UUID of 16 bytes for each volume.
/// - Bounds: as many volumes as one frame takes, 131,000.
package struct StorageShare: Hashable, Sendable {
  package var route: StorageRoute
  package var volumes: [UniqueIdentifier]

  package init(route: StorageRoute, volumes: [UniqueIdentifier]) {
    self.route = route
    self.volumes = volumes
  }

  package var encoded: [UInt8] {
    var line = ControlLine("storage")
    route.write(to: &line)
    let bytes = line.encoded()
    var writer = ByteWriter(capacity: 4 + bytes.count + 16 * volumes.count)
    writer.integer(UInt32(bytes.count))
    writer.append(ByteString(bytes))
    for volume in volumes { writer.identifier(volume) }
    return writer.array
  }

  /// - Throws: `FormatError`; `ControlError` when the line names no storage daemon.
  package init(payload: [UInt8]) throws {
    let (line, volumes) = try payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes, "storage route frame")
      let length: UInt32 = try reader.integer()
      let line = try ControlLine(payload: Array(try reader.take(Int(length))))
      var volumes: [UniqueIdentifier] = []
      while !reader.isAtEnd { volumes.append(try reader.identifier()) }
      return (line, volumes)
    }
    guard let route = try StorageRoute(line) else { throw ControlError(.missingField("storage"), line: line.verb) }
    self.init(route: route, volumes: volumes)
  }
}
