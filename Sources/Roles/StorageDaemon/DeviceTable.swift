import Synchronization
import VaultDevice
import VaultModel
import VaultSystem

/// The devices of a storage daemon: for every director and every pool, volumes of their own in the device's directory.
///
/// A director finds its volumes in `<Archive Device>/<director>`; names of pools tell them apart there. Nobody reaches
/// another director's. Calls that touch the medium block; they are for plain threads.
package final class DeviceTable: Sendable {
  /// What the configuration says of a device.
  package struct Place: Hashable, Sendable {
    package var name: String
    package var mediaType: String
    /// The directory that holds the volumes; it must be there.
    package var archive: ByteString
    package var concurrentJobLimit: Int

    package init(name: String, mediaType: String, archive: ByteString, concurrentJobLimit: Int) {
      self.name = name
      self.mediaType = mediaType
      self.archive = archive
      self.concurrentJobLimit = concurrentJobLimit
    }
  }

  /// What a director wants to use.
  struct Wish: Sendable {
    var device: String
    /// What kind of volumes it must have; nil for any.
    var mediaType: String?
    var repository: UniqueIdentifier
    var pool: String
    var volumePrefix: String
    var volumeSize: UInt64
  }

  private struct Key: Hashable {
    var director: String
    var device: String
    var volumePrefix: String
  }

  private struct State {
    var open: [Key: OpenDevice] = [:]
    /// Running jobs by the device's name.
    var jobCounts: [String: Int] = [:]
    /// Directories that no other process may write to, by the device's name.
    var locks: [String: ArchiveLock] = [:]
  }

  /// The device of a storage daemon that has one only, which nobody needs to ask for.
  let only: OpenDevice?
  let places: [Place]
  private let clock: any VaultClock
  private let state = Mutex(State())

  /// One device for the one director there is.
  package init(only device: Device, clock: any VaultClock) {
    only = OpenDevice(device: device, place: nil)
    places = []
    self.clock = clock
  }

  package init(places: [Place], clock: any VaultClock) {
    only = nil
    self.places = places
    self.clock = clock
  }

  /// The device as a director wants it, opened when nobody has.
  ///
  /// - Throws: `StorageError` for a device that there is not or that another repository's volumes are open on; what opening throws.
  func use(_ wish: Wish, by director: String) throws -> OpenDevice {
    guard let place = places.first(where: { $0.name == wish.device }) else {
      throw StorageError(.noSuchDevice(wish.device))
    }
    if let wanted = wish.mediaType, wanted != place.mediaType {
      throw StorageError(.wrongMediaType(place.name, place.mediaType, wanted))
    }
    guard VolumeName.isPrefix(wish.volumePrefix) else { throw StorageError(.badVolumePrefix(wish.volumePrefix)) }
    let key = Key(director: director, device: wish.device, volumePrefix: wish.volumePrefix)
    return try state.withLock { state in
      if let open = state.open[key], !open.isClosed {
        // Another catalog under the director's name: it begins anew, with its own volumes.
        if open.device.parameters.repository == wish.repository { return open }
        try open.close()
      }
      let open = try self.open(place, wish, director, &state.locks)
      state.open[key] = open
      return open
    }
  }

  /// The same, as no process has had it: running sessions are aborted, and what the volumes hold is to be looked at.
  func reopen(_ wish: Wish, by director: String) throws -> OpenDevice {
    let key = Key(director: director, device: wish.device, volumePrefix: wish.volumePrefix)
    try state.withLock { state in try state.open.removeValue(forKey: key)?.close() }
    return try use(wish, by: director)
  }

  private func open(
    _ place: Place, _ wish: Wish, _ director: String, _ locks: inout [String: ArchiveLock]
  ) throws -> OpenDevice {
    try mount(place, &locks)
    let directory = ByteString(place.archive.bytes + Array("/\(Self.fileName(director))".utf8))
    try DurableFiles.createDirectory(directory, mode: 0o700)
    let device = Device(
      store: try FileVolumeStore(directory: directory),
      parameters: DeviceParameters(
        repository: wish.repository, pool: wish.pool, mediaType: place.mediaType, volumePrefix: wish.volumePrefix,
        maximumVolumeSize: wish.volumeSize), clock: clock)
    return OpenDevice(device: device, place: place)
  }

  /// Makes sure that the directory is there, and that no other storage daemon writes to it.
  private func mount(_ place: Place, _ locks: inout [String: ArchiveLock]) throws {
    do throws(SystemError) { _ = try Descriptor.open(place.archive, [.readOnly, .directory]) } catch {
      throw StorageError(.notMounted(place.name, error.description))
    }
    guard locks[place.name] == nil else { return }
    let path = ByteString(place.archive.bytes + Array("/lock".utf8))
    locks[place.name] = ArchiveLock(try FileLock.acquire(path, command: "vault sd", now: clock.now()))
  }

  /// A director's name as the name of a directory: bytes that are no letter, digit, `_`, `-` or inner dot as `%XX`.
  static func fileName(_ name: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for (index, byte) in name.utf8.enumerated() {
      let isPlain =
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f
        || byte == 0x2d || (byte == 0x2e && index > 0)
      bytes += isPlain ? [byte] : [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  // MARK: Limits

  /// Counts a job on a device; false when as many run as may.
  func beginJob(on device: OpenDevice) -> Bool {
    guard let place = device.place else { return true }
    return state.withLock { state in
      guard state.jobCounts[place.name, default: 0] < place.concurrentJobLimit else { return false }
      state.jobCounts[place.name, default: 0] += 1
      return true
    }
  }

  func endJob(on device: OpenDevice) {
    guard let place = device.place else { return }
    state.withLock { $0.jobCounts[place.name, default: 1] -= 1 }
  }

  /// What is open now: device, director and volumes' prefix, and the running jobs of each device.
  var overview: [(device: String, director: String, open: OpenDevice)] {
    state.withLock { state in
      state.open.map { (key, open) in (key.device, key.director, open) }
    }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
  }

  func jobCount(of device: String) -> Int { state.withLock { $0.jobCounts[device, default: 0] } }

  /// Closes all devices; sessions that are open are aborted.
  ///
  /// - Throws: the first failed close.
  package func close() throws {
    let open = state.withLock { state in
      defer { state.open = [:] }
      return Array(state.open.values)
    }
    var failure: (any Error)?
    for device in open { do { try device.close() } catch { failure = failure ?? error } }
    if let failure { throw failure }
  }
}

/// Keeps other processes out of a device's directory as long as it lives.
private final class ArchiveLock: Sendable {
  private let lock: FileLock?
  init(_ lock: consuming FileLock?) { self.lock = lock }
}

/// A device in use by one director for one pool.
final class OpenDevice: Sendable {
  private struct State {
    var isRecovered = false
    var isClosed = false
  }

  let device: Device
  /// nil for a device that needs no choosing.
  let place: DeviceTable.Place?
  /// Tells one opening from the next: a director that does not know it lets the volumes be looked at first.
  let incarnation = UniqueIdentifier.random()
  private let state = Mutex(State())

  init(device: Device, place: DeviceTable.Place?) {
    self.device = device
    self.place = place
  }

  var isRecovered: Bool { state.withLock { $0.isRecovered } }
  var isClosed: Bool { state.withLock { $0.isClosed } }
  func recovered() { state.withLock { $0.isRecovered = true } }

  func close() throws {
    let isFirst = state.withLock { state in
      defer { state.isClosed = true }
      return !state.isClosed
    }
    if isFirst { try device.close() }
  }
}
