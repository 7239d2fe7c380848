import VaultModel
import VaultProtocol

/// A volume's first block, decoded.
package struct VolumeLabel: Hashable, Sendable {
  package var identifier: UniqueIdentifier
  package var record: LabelRecord

  package init(identifier: UniqueIdentifier, record: LabelRecord) {
    self.identifier = identifier
    self.record = record
  }

  /// What takes the place of a label that cannot be read: only the volume's identity is known.
  package init(standingInFor identifier: UniqueIdentifier, repository: UniqueIdentifier, name: String) {
    self.init(
      identifier: identifier,
      record: LabelRecord(
        repository: repository, labeled: Timestamp(nanoseconds: 0),
        maximumBlockSize: UInt32(BlockHeader.maximumBlockSizes.upperBound), maximumVolumeSize: 0, name: name, pool: "",
        mediaType: ""))
  }

  /// What a label's block takes: names are far shorter than one alignment unit.
  package static let paddedByteCount = BlockHeader.alignment
  /// Where the block after the label begins.
  package static let firstBlock = BlockAddress(block: 1)

  /// The label's block, padded; nil when its names do not fit.
  package func encoded() -> [UInt8]? {
    var records = RecordWriter(capacity: 512)
    records.label(record)
    let length = BlockHeader.byteCount + records.count
    guard length <= Self.paddedByteCount else { return nil }
    var block = [UInt8](repeating: 0, count: Self.paddedByteCount)
    block.withUnsafeMutableBytes { bytes in
      UnsafeMutableRawBufferPointer(rebasing: bytes[BlockHeader.byteCount...]).copyMemory(from: records.bytes)
      BlockHeader(kind: .label, length: UInt32(length), volume: identifier).seal(bytes)
    }
    return block
  }

  /// Reads the label of an open file.
  ///
  /// - Throws: `.damagedLabel`, `.newerFormat`, `.io`.
  package static func read(_ file: any VolumeFile, name: String) throws(DeviceError) -> VolumeLabel {
    var block = [UInt8](repeating: 0, count: paddedByteCount)
    var failure: StoreError?
    let count = block.withUnsafeMutableBytes { bytes -> Int in
      do throws(StoreError) { return try file.readAll(into: bytes, at: 0) } catch {
        failure = error
        return 0
      }
    }
    if let failure { throw DeviceError(failure, volume: name) }
    return try decode(&block, count, name)
  }

  private static func decode(_ block: inout [UInt8], _ count: Int, _ name: String) throws(DeviceError) -> VolumeLabel {
    let result: Result<VolumeLabel, FormatError>? = block.withUnsafeMutableBytes { bytes in
      do throws(FormatError) {
        let header = try BlockHeader(decoding: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        guard header.kind == .label, header.number == 0, Int(header.length) <= count,
          BlockHeader.isIntact(UnsafeMutableRawBufferPointer(rebasing: bytes[..<Int(header.length)]))
        else { return nil }
        let payload = UnsafeRawBufferPointer(rebasing: bytes[BlockHeader.byteCount..<Int(header.length)])
        var records = RecordReader(payload)
        guard case .label(let record)? = try records.next(),
          BlockHeader.maximumBlockSizes.contains(Int(record.maximumBlockSize)),
          Int(record.maximumBlockSize) % BlockHeader.alignment == 0
        else { return nil }
        return .success(VolumeLabel(identifier: header.volume, record: record))
      } catch { return .failure(error) }
    }
    switch result {
    case .success(let label): return label
    case .failure(let error):
      if case .unsupportedVersion(let version) = error.kind { throw DeviceError(.newerFormat(version), volume: name) }
      throw DeviceError(.damagedLabel, volume: name)
    case nil: throw DeviceError(.damagedLabel, volume: name)
    }
  }

  /// Checks that the label is the one of a known volume and of the repository.
  ///
  /// - Throws: `.volumeForeign`, `.labelMismatch`.
  func check(
    is identifier: UniqueIdentifier, of repository: UniqueIdentifier, name: String
  ) throws(DeviceError) {
    if self.identifier == identifier { return }
    guard record.repository == repository else { throw DeviceError(.volumeForeign, volume: name) }
    throw DeviceError(.labelMismatch(found: record.name, foundIdentifier: self.identifier), volume: name)
  }
}
