import VaultModel

// Volumes that take others' places, when it was cut short.
extension Recovery {
  /// Whether a file that the catalog does not know is what the rewriting of a volume left.
  ///
  /// A new volume that the catalog does not know goes as long as the old one is in its place: the catalog takes the new one
  /// in and gives the old one up at once. An old one that was replaced is left alone.
  mutating func isLeftOut(_ label: VolumeLabel, _ name: String, _ known: [Volume]) throws(DeviceError) -> Bool {
    if let replaced = label.record.replaced, let old = known.first(where: { $0.identifier == replaced }),
      isInPlace(old)
    {
      do throws(StoreError) { try store.remove(name) } catch { throw DeviceError(error, volume: name) }
      report.leftOut.append(
        LeftOutVolume(identifier: label.identifier, name: name, reason: .incomplete(replacementOf: old.name)))
      return true
    }
    guard let other = replacement(of: label.identifier, among: known) else { return false }
    report.leftOut.append(LeftOutVolume(identifier: label.identifier, name: name, reason: .replaced(by: other)))
    return true
  }

  /// Whether a volume's file is there, as long as its end says.
  private func isInPlace(_ volume: Volume) -> Bool {
    guard let (file, label) = labelled(volume), label.identifier == volume.identifier, let size = try? file.size()
    else {
      return false
    }
    return size >= volume.end.byteOffset
  }

  private func replacement(of identifier: UniqueIdentifier, among known: [Volume]) -> String? {
    known.first { volume in
      guard let (file, label) = labelled(volume), label.identifier == volume.identifier,
        label.record.replaced == identifier
      else { return false }
      return VolumeReplacements.isComplete(file, label, name: volume.name)
    }?.name
  }

  private func labelled(_ volume: Volume) -> (file: any VolumeFile, label: VolumeLabel)? {
    guard let file = try? store.open(volume.name, forAppending: false),
      let label = try? VolumeLabel.read(file, name: volume.name)
    else { return nil }
    return (file, label)
  }
}
