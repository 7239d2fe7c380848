import Synchronization
import SystemPackage
import VaultModel
import VaultProtocol
import VaultSystem

/// One directory of volumes, and everything that is written to and read from it.
///
/// The module's nouns: a *device* is a directory (later a drive) with *volumes*; a *volume* is a self-describing file of
/// *blocks*, append-only; a block holds whole record groups of one *session*; a *device control record* binds one job's
/// session to the device; a *commit* makes everything durable that the session appended since the last one. Blocks of
/// concurrent sessions interleave; those that no commit covers are *dead* and skipped by every reader.
///
/// What the module does not do: it knows no catalog (the caller hands in the volumes it knows and takes what commits and
/// recovery return), it reads no records but those of its own blocks, and it decides nothing about jobs.
///
/// Locks, in the order in which they are taken: the append lock (held while one block is written, so that appends of all
/// sessions have one order), a volume's sync lock (held during one sync), the state's locks (held for a moment, no calls).
/// Everything here blocks; it runs on plain threads, never on the cooperative pool. Each session has one that writes its blocks
/// and, when it writes much between two commits, one that syncs beside it.
package final class Device: Sendable {
  struct State {
    /// All volumes by identifier, with the ends that commits acknowledged.
    var volumes: [UniqueIdentifier: Volume] = [:]
    /// Volumes that are new or changed their status since the device was opened: commits tell the catalog of them.
    var changed: Set<UniqueIdentifier> = []
    /// Volumes whose files are open for appending, or wait for their last sync.
    var appended: [UniqueIdentifier: AppendVolume] = [:]
    var writers: [ObjectIdentifier: BlockWriter] = [:]
    /// The first block of each session that was opened here.
    var sessionStarts: [UniqueIdentifier: GroupAddress] = [:]
    var isClosed = false
  }

  /// Where a session's first block lies.
  struct GroupAddress: Sendable {
    var volume: UniqueIdentifier
    var block: BlockAddress
  }

  package let parameters: DeviceParameters
  let store: any VolumeStore
  let clock: any VaultClock
  let makeIdentifier: @Sendable () -> UniqueIdentifier
  let reader: VolumeReader
  let state = Mutex(State())
  /// The volume that takes the next block; its lock orders all appends.
  let current = Mutex<AppendVolume?>(nil)

  /// A device over a store; nothing is read before `open` or `recover`.
  package init(
    store: any VolumeStore, parameters: DeviceParameters, clock: any VaultClock = SystemClock(),
    random: @escaping @Sendable () -> UniqueIdentifier = { UniqueIdentifier.random() }
  ) {
    self.store = store
    self.parameters = parameters
    self.clock = clock
    makeIdentifier = random
    reader = VolumeReader(store: store, repository: parameters.repository)
  }

  /// Takes the volumes that the catalog knows, without looking at them: enough for reading.
  ///
  /// Appending needs `recover` first, which calls this.
  package func open(known: [Volume]) {
    state.withLock { state in
      for volume in known { state.volumes[volume.identifier] = volume }
    }
  }

  /// All volumes, in the order in which they were made.
  package var volumes: [Volume] {
    state.withLock { Array($0.volumes.values) }.sorted { VolumeName.isBefore($0.name, $1.name) }
  }

  /// Closes all files; sessions that are open are aborted.
  ///
  /// - Throws: the first failed close; what was acknowledged is safe nevertheless.
  package func close() throws(DeviceError) {
    let writers = state.withLock { state in
      state.isClosed = true
      defer { state.writers.removeAll() }
      return Array(state.writers.values)
    }
    for writer in writers { writer.fail(DeviceError(.closed)) }
    current.withLock { $0 = nil }
    let open = state.withLock { state in
      defer { state.appended.removeAll() }
      return state.appended.values.sorted { $0.name < $1.name }
    }
    var failure: DeviceError?
    for volume in open {
      do throws(DeviceError) { try volume.close() } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
  }

  // MARK: Reading

  /// Reads and verifies one block into the front of `buffer`.
  ///
  /// - Bounds: `buffer` holds `readBufferSize(of:)` bytes.
  /// - Throws: `.unknownVolume` and what `VolumeReader.readBlock` throws.
  package func readBlock(
    volume: UniqueIdentifier, at address: BlockAddress, into buffer: UnsafeMutableRawBufferPointer
  ) throws(DeviceError) -> BlockPayload {
    try reader.readBlock(volume, name: try name(of: volume), at: address, into: buffer)
  }

  /// Begins to read bytes of a volume whose blocks are going to be asked for; nothing is promised.
  package func beginReading(volume: UniqueIdentifier, _ range: Range<UInt64>) {
    if let name = try? name(of: volume) { reader.beginReading(volume, name, range) }
  }

  /// Reads the block at a location and lends the group there, its digest verified.
  package func readGroup(
    _ location: GroupLocation, into buffer: UnsafeMutableRawBufferPointer
  ) throws(DeviceError) -> GroupView {
    let block = try readBlock(volume: location.volume, at: location.block, into: buffer)
    do throws(FormatError) {
      if let group = try block.group(location.group) {
        try group.verify()
        return group
      }
    } catch {}
    throw DeviceError(.damagedBlock(.malformedContent, location.block), volume: try name(of: location.volume))
  }

  /// Reads a group without the rest of its block, and with it when the group is not where it should be.
  ///
  /// - Parameter place: where in its block the group is.
  package func readGroup(
    _ location: GroupLocation, at place: GroupPlace, into buffer: UnsafeMutableRawBufferPointer
  ) throws(DeviceError) -> GroupView {
    if let group = try reader.readGroup(location, name(of: location.volume), at: place, into: buffer) {
      return group
    }
    return try readGroup(location, into: buffer)
  }

  /// What the largest block of a volume needs: its label's Maximum Block Size.
  package func readBufferSize(of volume: UniqueIdentifier) throws(DeviceError) -> Int {
    Int(try reader.label(of: volume, name: try name(of: volume)).record.maximumBlockSize)
  }

  /// Whether the volume is one of this device's.
  package func knows(_ volume: UniqueIdentifier) -> Bool { state.withLock { $0.volumes[volume] != nil } }

  /// What is known of a volume of this device.
  package func volume(_ identifier: UniqueIdentifier) -> Volume? { state.withLock { $0.volumes[identifier] } }

  /// The volume whose label has a name.
  package func volume(called name: String) -> Volume? {
    state.withLock { $0.volumes.values.first { $0.name == name } }
  }

  private func name(of volume: UniqueIdentifier) throws(DeviceError) -> String {
    guard let name = state.withLock({ $0.volumes[volume]?.name }) else { throw DeviceError(.unknownVolume(volume)) }
    return name
  }

  // MARK: Sessions

  func register(_ writer: BlockWriter) throws(DeviceError) {
    let isOpen = state.withLock { state in
      guard !state.isClosed else { return false }
      state.writers[ObjectIdentifier(writer)] = writer
      return true
    }
    guard isOpen else { throw DeviceError(.closed) }
  }

  /// A writer's thread is at its end: nothing waits for its uncommitted blocks any more.
  func unregister(_ writer: BlockWriter) {
    _ = state.withLock { $0.writers.removeValue(forKey: ObjectIdentifier(writer)) }
    closeIdleVolumes()
  }

  /// Nothing more is appended to a volume; every session with uncommitted blocks there is aborted.
  func condemn(_ volume: AppendVolume, _ error: DeviceError) {
    volume.fail(error)
    let writers = state.withLock { state in
      state.volumes[volume.identifier]?.status = .error
      state.changed.insert(volume.identifier)
      return Array(state.writers.values)
    }
    var errno: Errno?
    if case .io(_, let number) = error.kind { errno = number }
    for writer in writers { writer.volumeFailed(volume.identifier, name: volume.name, errno: errno) }
  }
}
