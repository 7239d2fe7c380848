import VaultModel

extension Device {
  /// Brings the volumes into order after whatever happened, and says what it found.
  ///
  /// Where nothing lies beyond the ends that the catalog knows, only file lengths are read. Call it once, before anything
  /// is appended, with the repository locked and writable.
  /// - Durability: what the report calls committed is on stable storage, and cuts are too.
  /// - Throws: `.io` when the store cannot be listed, `.newerFormat` when a newer program was here.
  package func recover(known: [Volume]) throws(DeviceError) -> RecoveryReport {
    var recovery = Recovery(
      store: store, repository: parameters.repository, prefix: parameters.volumePrefix)
    let report = try recovery.run(known: known)
    open(known: report.volumes)
    let before = Set(known)
    state.withLock { state in
      for volume in report.volumes where !before.contains(volume) { state.changed.insert(volume.identifier) }
    }
    return report
  }
}
