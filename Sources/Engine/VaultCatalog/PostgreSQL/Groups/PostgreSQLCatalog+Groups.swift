import VaultModel

extension PostgreSQLCatalog {
  package func locations(of content: ContentIdentifier, size: UInt64) throws(CatalogError) -> [GroupLocation] {
    try read("locating a content") { connection throws(CatalogError) in
      try connection.locations(of: content, size: size)
    }
  }

  package func locations(
    of session: UniqueIdentifier, groups: ClosedRange<UInt64>
  ) throws(CatalogError) -> [GroupLocation] {
    try read("locating groups") { connection throws(CatalogError) in
      try connection.locations(of: session, groups: groups)
    }
  }

  package func locations(
    on volume: UniqueIdentifier, blocks: Range<UInt32>
  ) throws(CatalogError) -> [PlacedGroup] {
    try read("locating the groups of a volume") { connection throws(CatalogError) in
      try connection.locations(on: volume, blocks: blocks)
    }
  }

  package func contents(
    ofGroup number: UInt64, of session: UniqueIdentifier
  ) throws(CatalogError) -> ClosedRange<UInt64>? {
    try read("looking for a group's contents") { connection throws(CatalogError) in
      try connection.contents(ofGroup: number, of: session)
    }
  }

  package func extendedLocations(of carrier: ContentIdentifier) throws(CatalogError) -> [GroupLocation] {
    try read("finding extended attributes") { connection throws(CatalogError) in
      try connection.extendedLocations(of: carrier)
    }
  }

  package func ownerName(
    of tree: Tree, sequence: UInt64, kind: OwnerKind, number: UInt32
  ) throws(CatalogError) -> ByteString? {
    try read("looking for an owner's name") { connection throws(CatalogError) in
      try connection.ownerName(of: tree, sequence: sequence, kind: kind, number: number)
    }
  }

  package func volumes() throws(CatalogError) -> [Volume] {
    try read("listing volumes") { connection throws(CatalogError) in try connection.volumes() }
  }

  package func recordVolume(_ volume: Volume) throws(CatalogError) {
    try write("recording volume \(volume.name)") { connection throws(CatalogError) in
      try connection.recordVolume(volume)
    }
  }
}
