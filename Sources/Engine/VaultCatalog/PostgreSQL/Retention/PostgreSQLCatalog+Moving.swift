import VaultModel

extension PostgreSQLCatalog {
  package func volumeNeeds(
    ifDropping numbers: [JobNumber], at now: Timestamp
  ) throws(CatalogError) -> [VolumeNeed] {
    let activity = "looking how much of the volumes is needed"
    guard numbers.isEmpty else {
      return try write(activity, as: .rehearsal) { connection throws(CatalogError) in
        _ = try connection.drop(numbers, at: now)
        try connection.gatherNeeds()
        return try connection.volumeNeeds()
      }
    }
    let needs = try write(activity, as: .onSnapshot) { connection throws(CatalogError) in
      try connection.gatherNeeds()
      try connection.noteNeeds()
      return try connection.volumeNeeds()
    }
    waiting.withLock { $0.knowsNeeds = true }
    return needs
  }

  package func neededGroups(
    on volume: UniqueIdentifier, blocks: Range<UInt32>
  ) throws(CatalogError) -> [BlockGroup] {
    try read("looking for needed groups") { connection throws(CatalogError) in
      try connection.neededGroups(on: volume, blocks: blocks)
    }
  }

  package func beginMoving() throws(CatalogError) {
    try write("moving groups") { connection throws(CatalogError) in try connection.execute("TRUNCATE moved_group") }
  }

  package func noteMoved(_ groups: [BlockGroup], of session: UniqueIdentifier) throws(CatalogError) {
    try write("moving groups") { connection throws(CatalogError) in try connection.noteMoved(groups, of: session) }
  }

  package func replaceVolume(_ old: UniqueIdentifier, by new: Volume) throws(CatalogError) {
    let activity = "replacing a volume by \(new.name)"
    // An empty list of needs would let everything be left behind.
    guard waiting.withLock({ $0.knowsNeeds }) else {
      throw CatalogError(.conflict, "nobody asked what is needed of the volumes")
        .located(activity: activity, path: place, isOnServer: true)
    }
    try write(activity) { connection throws(CatalogError) in try connection.replaceVolume(old, by: new) }
  }
}
