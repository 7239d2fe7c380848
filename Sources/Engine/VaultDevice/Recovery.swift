import SystemPackage
import VaultModel
import VaultProtocol

/// Brings the volumes of a device into the state that appending needs, by the rules of vault-volume(5).
///
/// It reads what lies beyond the ends that the catalog knows; a commit there counts when every group it adds verifies and
/// its rolling digest matches. It cuts what lies behind the last block that counts, and nothing below a known end.
struct Recovery {
  /// A volume under recovery.
  struct Candidate {
    var volume: Volume
    /// Below this nothing is cut: what the catalog knows, or for an unknown volume its label.
    let knownEnd: UInt64
    /// The file's length; nil when there is nothing to scan or cut.
    var size: UInt64?
    var label: VolumeLabel?
    var file: (any VolumeFile)?
    /// Nothing is cut: the volume is damaged, or is Error already.
    var isLeftAlone: Bool
    /// Whether all below the known end was scanned too.
    var isScannedWhole = false
    /// Whole blocks beyond the known end, by where they end.
    var blockEnds: [UInt64] = []
  }

  let store: any VolumeStore
  let repository: UniqueIdentifier
  /// What the names of volumes begin with that are looked at.
  let prefix: String
  var candidates: [Candidate] = []
  var collector = SessionCollector()
  var report = RecoveryReport()
  /// Whether something of the repository could not be read: what seems uncovered may then be covered from there.
  var isIncomplete = false

  init(store: any VolumeStore, repository: UniqueIdentifier, prefix: String = VolumeName.defaultPrefix) {
    self.prefix = prefix
    self.store = store
    self.repository = repository
  }

  /// - Throws: `.io` when the store cannot be listed, `.newerFormat`.
  mutating func run(known: [Volume]) throws(DeviceError) -> RecoveryReport {
    for volume in known where volume.status == .purged {
      if try Device.remove(volume, from: store, repository) { report.purgedFiles.append(volume.name) }
    }
    try examine(known.filter { $0.status != .purged })
    for index in candidates.indices { try scanBeyondEnd(index) }
    try scanBelowEndsIfNeeded()
    settle()
    return report
  }

  // MARK: Looking at files

  /// Compares the files with what the catalog knows, and finds volumes that are newer than the catalog.
  private mutating func examine(_ known: [Volume]) throws(DeviceError) {
    let names: Set<String>
    do throws(StoreError) { names = Set(try store.names()) } catch { throw DeviceError(error, volume: "") }
    for volume in known { examineKnown(volume) }
    let knownNames = Set(known.map(\.name))
    for name in names.subtracting(knownNames).filter({ VolumeName.number($0, prefix: prefix) != nil }).sorted() {
      try examineUnknown(name, known)
    }
    candidates.sort { VolumeName.isBefore($0.volume.name, $1.volume.name) }
  }

  private mutating func examineKnown(_ volume: Volume) {
    let end = volume.end.byteOffset
    var candidate = Candidate(
      volume: volume, knownEnd: end, size: nil, label: nil, file: nil, isLeftAlone: volume.status == .error)
    do throws(DeviceError) {
      let file = try open(volume.name, forAppending: false)
      let size = try Self.size(file, volume.name)
      if size < end {
        // Swapped files often differ in length: that they are swapped says more.
        try VolumeLabel.read(file, name: volume.name).check(
          is: volume.identifier, of: repository, name: volume.name)
        throw DeviceError(.volumeTruncated(expected: end, found: size), volume: volume.name)
      }
      // A failed volume ends where it was looked at last, which may be inside a torn block: what is left holds no other.
      let smallest = volume.status == .error ? UInt64(BlockHeader.alignment) : 1
      if size >= end + smallest { candidate.size = size }
    } catch {
      damaged(&candidate, error)
    }
    candidates.append(candidate)
  }

  private mutating func examineUnknown(_ name: String, _ known: [Volume]) throws(DeviceError) {
    do throws(DeviceError) {
      let file = try open(name, forAppending: false)
      let size = try Self.size(file, name)
      let label: VolumeLabel
      do throws(DeviceError) {
        label = try VolumeLabel.read(file, name: name)
      } catch {
        guard error.kind == .damagedLabel, size <= UInt64(VolumeLabel.paddedByteCount) else { throw error }
        try remove(name)
        return
      }
      guard label.record.repository == repository else { throw DeviceError(.volumeForeign, volume: name) }
      if try isLeftOut(label, name, known) { return }
      if known.contains(where: { $0.identifier == label.identifier }) {
        throw DeviceError(
          .labelMismatch(found: label.record.name, foundIdentifier: label.identifier), volume: name)
      }
      let start = UInt64(VolumeLabel.paddedByteCount)
      let volume = Volume(
        identifier: label.identifier, name: name, status: .append, end: BlockAddress(byteOffset: start),
        labeled: label.record.labeled)
      candidates.append(
        Candidate(volume: volume, knownEnd: start, size: size, label: label, file: nil, isLeftAlone: false))
    } catch {
      switch error.kind {
      case .newerFormat: throw error
      case .volumeForeign, .labelMismatch: break
      default: isIncomplete = true
      }
      report.damage.append(VolumeDamage(.volume(error), volume: name))
    }
  }

  /// A file that a crash left while it was being labelled: nothing was ever stored in it.
  private mutating func remove(_ name: String) throws(DeviceError) {
    do throws(StoreError) { try store.remove(name) } catch { throw DeviceError(error, volume: name) }
    report.removedFiles.append(name)
  }

  /// Notes damage and takes the volume out of use, uncut.
  private mutating func damaged(_ candidate: inout Candidate, _ error: DeviceError) {
    report.damage.append(VolumeDamage(.volume(error), volume: candidate.volume.name))
    isIncomplete = true
    // A full volume stays full: it takes no more data either way, and its file may come back.
    if candidate.volume.status == .append { candidate.volume.status = .error }
    candidate.isLeftAlone = true
    candidate.size = nil
    candidate.file = nil
  }

  private func open(_ name: String, forAppending: Bool) throws(DeviceError) -> any VolumeFile {
    do throws(StoreError) { return try store.open(name, forAppending: forAppending) } catch {
      throw DeviceError(error, volume: name)
    }
  }

  private static func size(_ file: any VolumeFile, _ name: String) throws(DeviceError) -> UInt64 {
    do throws(StoreError) { return try file.size() } catch { throw DeviceError(error, volume: name) }
  }

  // MARK: Scanning

  /// Takes the blocks behind the known end.
  private mutating func scanBeyondEnd(_ index: Int) throws(DeviceError) {
    var candidate = candidates[index]
    guard let size = candidate.size else { return }
    let name = candidate.volume.name
    do throws(DeviceError) {
      let file = try open(name, forAppending: true)
      // What counts is told to the catalog: it must be on the medium, and must be what the medium holds.
      do throws(StoreError) { try file.synchronize() } catch { throw DeviceError(error, volume: name) }
      file.dropCache()
      let label = try VolumeLabel.read(file, name: name)
      try label.check(is: candidate.volume.identifier, of: repository, name: name)
      candidate.file = file
      candidate.label = label
      var ends: [UInt64] = []
      try scan(file, label, index, name, from: candidate.knownEnd, to: size) { ends.append($0.end) }
      candidate.blockEnds = ends
      if candidate.knownEnd > UInt64(VolumeLabel.paddedByteCount), candidate.volume.status != .error {
        try addTail(file, label, index, name, candidate.knownEnd)
      }
    } catch {
      if case .newerFormat = error.kind { throw error }
      damaged(&candidate, error)
    }
    candidates[index] = candidate
  }

  /// Takes the last block below the known end: it usually holds the commit that the next one builds on.
  private mutating func addTail(
    _ file: any VolumeFile, _ label: VolumeLabel, _ index: Int, _ name: String, _ end: UInt64
  ) throws(DeviceError) {
    let tail = try TailBlock.find(file, label: label, name: name, end: end)
    let position = BlockPosition(volume: index, address: tail.address, byteCount: tail.header.paddedByteCount)
    let isWellFormed = tail.payload.withUnsafeBytes { collector.add(tail.header, $0, at: position) }
    if !isWellFormed { damagedContent(tail.address, name) }
  }

  private mutating func scan(
    _ file: any VolumeFile, _ label: VolumeLabel, _ index: Int, _ name: String, from start: UInt64, to end: UInt64,
    _ visit: (BlockPosition) -> Void
  ) throws(DeviceError) {
    var scanner = VolumeScanner(file: file, label: label, name: name, from: start, to: end)
    while let event = try scanner.next() {
      guard case .block(let header, let address) = event else { continue }
      let position = BlockPosition(volume: index, address: address, byteCount: header.paddedByteCount)
      if !collector.add(header, scanner.payload, at: position) { damagedContent(address, name) }
      visit(position)
    }
  }

  /// Notes a block that is whole and makes no sense: what a commit needs may be inside.
  mutating func damagedContent(_ address: BlockAddress, _ name: String) {
    report.damage.append(VolumeDamage(.content(address), volume: name))
    isIncomplete = true
  }
}
