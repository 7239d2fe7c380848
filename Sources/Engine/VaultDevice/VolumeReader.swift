import Synchronization
import VaultModel
import VaultProtocol

/// Reads single blocks of a store's volumes; keeps the files that it read last open.
///
/// Several threads may read at once.
package final class VolumeReader: Sendable {
  private struct Handle: Sendable {
    var identifier: UniqueIdentifier
    var file: any VolumeFile
    var label: VolumeLabel
  }

  private let store: any VolumeStore
  private let repository: UniqueIdentifier
  private let openLimit: Int
  /// The files that are open, the one used last at the end.
  private let handles = Mutex<[Handle]>([])

  /// - Bounds: at most `openLimit` files are kept open.
  package init(store: any VolumeStore, repository: UniqueIdentifier, openLimit: Int = 16) {
    self.store = store
    self.repository = repository
    self.openLimit = max(1, openLimit)
  }

  /// Reads and verifies the block at an address into the front of `buffer`.
  ///
  /// - Bounds: `buffer` holds the largest block of the volume: its label's Maximum Block Size.
  /// - Throws: `.volumeMissing`, `.labelMismatch`, `.volumeForeign`, `.volumeTruncated`, `.damagedBlock`, `.io`.
  package func readBlock(
    _ volume: UniqueIdentifier, name: String, at address: BlockAddress, into buffer: UnsafeMutableRawBufferPointer
  ) throws(DeviceError) -> BlockPayload {
    let handle = try handle(volume, name)
    func damaged(_ damage: DeviceError.BlockDamage) -> DeviceError {
      DeviceError(.damagedBlock(damage, address), volume: name)
    }
    guard address.file == 0, buffer.count >= BlockHeader.alignment else { throw damaged(.addressOutOfBounds) }
    let first = UnsafeMutableRawBufferPointer(rebasing: buffer[..<BlockHeader.alignment])
    let found = try read(handle, name, into: first, at: address.byteOffset)
    guard found >= BlockHeader.byteCount else {
      throw DeviceError(
        .volumeTruncated(expected: address.byteOffset + UInt64(BlockHeader.alignment), found: try size(handle, name)),
        volume: name)
    }
    let header = try decodeHeader(UnsafeRawBufferPointer(rebasing: first[..<found]), name, address)
    let length = Int(header.length)
    guard length <= min(buffer.count, Int(handle.label.record.maximumBlockSize)) else { throw damaged(.noHeader) }
    if length > found {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[found..<length])
      guard try read(handle, name, into: rest, at: address.byteOffset + UInt64(found)) == rest.count else {
        throw DeviceError(
          .volumeTruncated(expected: address.byteOffset + UInt64(length), found: try size(handle, name)), volume: name)
      }
    }
    guard BlockHeader.isIntact(UnsafeMutableRawBufferPointer(rebasing: buffer[..<length])) else {
      throw damaged(.checksumMismatch)
    }
    guard header.volume == volume else { throw damaged(.stale) }
    return BlockPayload(
      header: header, address: address, bytes: UnsafeRawBufferPointer(rebasing: buffer[BlockHeader.byteCount..<length]))
  }

  /// Begins to read a part of a volume that is going to be asked for; what is wrong with it those who read it are told.
  func beginReading(_ volume: UniqueIdentifier, _ name: String, _ range: Range<UInt64>) {
    do throws(DeviceError) {
      try handle(volume, name).file.beginReading(from: range.lowerBound, byteCount: UInt64(range.count))
    } catch { return }
  }

  /// Reads one group of a block into the front of `buffer`, and verifies its digest in place of the block's checksum.
  ///
  /// - Returns: nil when what lies there is not the group; what is wrong the whole block tells.
  func readGroup(
    _ location: GroupLocation, _ name: String, at place: GroupPlace, into buffer: UnsafeMutableRawBufferPointer
  ) throws(DeviceError) -> GroupView? {
    let handle = try handle(location.volume, name)
    guard location.block.file == 0, Int(location.storedLength) <= buffer.count else { return nil }
    let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(location.storedLength)])
    let start = location.block.byteOffset + UInt64(clamping: place.offset)
    guard try read(handle, name, into: room, at: start) == room.count,
      let group = try? GroupView(decoding: UnsafeRawBufferPointer(room)), (try? group.verify()) != nil,
      group.header.digest == place.digest, group.header.number == location.group, group.header.kind == location.kind,
      group.header.totalByteCount == room.count, group.header.rawLength == location.rawLength,
      group.header.firstEntry == location.firstEntry, group.header.firstOffset == location.firstOffset
    else { return nil }
    return group
  }

  /// Forgets an open file, so that the next read looks at the name again.
  package func forget(_ volume: UniqueIdentifier) {
    handles.withLock { $0.removeAll { $0.identifier == volume } }
  }

  /// The label of a volume whose file was checked.
  package func label(of volume: UniqueIdentifier, name: String) throws(DeviceError) -> VolumeLabel {
    try handle(volume, name).label
  }

  private func decodeHeader(
    _ bytes: UnsafeRawBufferPointer, _ name: String, _ address: BlockAddress
  ) throws(DeviceError) -> BlockHeader {
    do throws(FormatError) {
      return try BlockHeader(decoding: bytes)
    } catch {
      if case .unsupportedVersion(let version) = error.kind { throw DeviceError(.newerFormat(version), volume: name) }
      throw DeviceError(.damagedBlock(.noHeader, address), volume: name)
    }
  }

  private func read(
    _ handle: Handle, _ name: String, into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(DeviceError) -> Int {
    do throws(StoreError) { return try handle.file.readAll(into: buffer, at: offset) } catch {
      throw DeviceError(error, volume: name)
    }
  }

  private func size(_ handle: Handle, _ name: String) throws(DeviceError) -> UInt64 {
    do throws(StoreError) { return try handle.file.size() } catch { throw DeviceError(error, volume: name) }
  }

  /// The open file of a volume, checked by its label when it is opened.
  private func handle(_ volume: UniqueIdentifier, _ name: String) throws(DeviceError) -> Handle {
    let known: Handle? = handles.withLock { handles in
      guard let index = handles.firstIndex(where: { $0.identifier == volume }) else { return nil }
      let handle = handles.remove(at: index)
      handles.append(handle)
      return handle
    }
    if let known { return known }
    let file: any VolumeFile
    do throws(StoreError) { file = try store.open(name, forAppending: false) } catch {
      throw DeviceError(error, volume: name)
    }
    let label = try label(of: file, volume, name)
    let handle = Handle(identifier: volume, file: file, label: label)
    handles.withLock { handles in
      if handles.count >= openLimit { handles.removeFirst() }
      handles.append(handle)
    }
    return handle
  }

  /// The file's label, checked; one that cannot be read costs only itself, for every block says whose it is.
  private func label(
    of file: any VolumeFile, _ volume: UniqueIdentifier, _ name: String
  ) throws(DeviceError) -> VolumeLabel {
    do throws(DeviceError) {
      let label = try VolumeLabel.read(file, name: name)
      try label.check(is: volume, of: repository, name: name)
      return label
    } catch {
      guard case .damagedLabel = error.kind else { throw error }
      return VolumeLabel(standingInFor: volume, repository: repository, name: name)
    }
  }
}
