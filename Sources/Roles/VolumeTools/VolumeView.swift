import VaultCatalog
import VaultDevice
import VaultModel
import VaultProtocol
import VaultSystem

/// A repository made up of volumes alone, for reading: their files, and a catalog that goes with it.
///
/// Every byte of the files is looked at: a volume's end is that of its file.
package struct VolumeView: Sendable {
  package let repository: UniqueIdentifier
  package let store: any VolumeStore
  package let catalog: any CatalogStore
  /// Damage that the scan met and an examination of blocks does not tell.
  package let damage: [String]
  /// Bytes and blocks that make no sense.
  package let blockDamage: [String]
  /// Volumes that do not count, in words.
  package let leftOut: [String]

  /// Scans volume files, or all volumes of directories. Blocks its thread.
  ///
  /// - Throws: `VolumeScanError`; damage goes into the view.
  package static func open(_ paths: [ByteString]) throws -> VolumeView {
    var scanned = try ScannedFiles.scan(try ScannedFiles.find(paths))
    let repository = try scanned.repository(orNone: true)
    let store = CombinedVolumeStore(scanned.folders)
    let named = Set(scanned.report.volumes.map(\.name))
    // Blocks are examined one by one later, and commits are told of when they are staged.
    let found = scanned.report.damage + scanned.report.tornEnds
    var blockDamage: [String] = []
    scanned.report.damage = []
    for damage in found {
      switch damage.kind {
      case .volume where !named.contains(damage.volume): scanned.report.damage.append(damage)
      case .volume, .bytes, .content: blockDamage.append(damage.description)
      case .commit: continue
      }
    }
    let catalog = try SQLiteCatalog.temporary(newRepository: repository)
    var report = VolumeScanReport()
    var rebuild = CatalogRebuild(catalog: catalog, scanned: scanned, takesAll: true)
    try rebuild.run(&report)
    for volume in scanned.report.volumes { try catalog.recordVolume(try wholeFile(volume, in: store)) }
    return VolumeView(
      repository: repository, store: store, catalog: catalog, damage: report.notes, blockDamage: blockDamage,
      leftOut: scanned.report.leftOut.map(\.description))
  }

  private static func wholeFile(_ volume: Volume, in store: any VolumeStore) throws -> Volume {
    var volume = volume
    let size = try store.open(volume.name, forAppending: false).size()
    let unit = UInt64(BlockHeader.alignment)
    volume.end = BlockAddress(block: UInt32(clamping: size / unit + (size % unit == 0 ? 0 : 1)))
    volume.status = .full
    return volume
  }
}
