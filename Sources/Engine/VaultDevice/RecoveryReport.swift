import VaultModel

/// What recovery cut off a volume: bytes that no commit covers.
package struct VolumeCut: Hashable, Sendable {
  package var volume: String
  package var byteCount: UInt64
  /// Whole blocks among them.
  package var blockCount: Int

  package init(volume: String, byteCount: UInt64, blockCount: Int) {
    self.volume = volume
    self.byteCount = byteCount
    self.blockCount = blockCount
  }
}

/// What recovery found and did.
package struct RecoveryReport: Hashable, Sendable {
  /// All volumes with the states and ends they now have, in the order in which they were made.
  package var volumes: [Volume] = []
  package var cuts: [VolumeCut] = []
  /// Files that a crash left before they became volumes, by name; they are removed.
  package var removedFiles: [String] = []
  /// Volumes that the catalog calls purged, and whose files were still there; they are removed.
  package var purgedFiles: [String] = []
  /// Files of rewritings that were cut short, which are removed, and of volumes that others replaced, which are left alone.
  package var leftOut: [LeftOutVolume] = []
  package var damage: [VolumeDamage] = []
  /// Sessions with commits or ends beyond what the catalog knew of the volumes.
  package var sessions: [RecoveredSession] = []

  package init() {}

  /// Whether everything was as the catalog knew it.
  package var isClean: Bool {
    cuts.isEmpty && removedFiles.isEmpty && leftOut.isEmpty && damage.isEmpty && sessions.isEmpty
  }
}
