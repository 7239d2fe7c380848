import VaultDevice
import VaultModel
import VaultProtocol

/// Groups that do not shrink, appended to a volume and committed: checked, put into blocks, written and synced.
enum BlockMeasurement {
  /// - Parameter isBuffered: whether blocks go through the page cache.
  static func run(_ directory: ByteString, mebibyteCount: Int, isBuffered: Bool) throws {
    let identifier = UniqueIdentifier.random()
    let store = try FileVolumeStore(directory: directory, isBuffered: isBuffered)
    let device = Device(store: store, parameters: DeviceParameters(repository: .random()))
    _ = try device.recover(known: [])
    let job = JobDescription(
      number: 1, session: identifier, tree: Tree(host: "bench", name: "blocks"), level: .full, sequence: 1,
      baseSequence: 0, created: Timestamp(nanoseconds: 1), paths: ["/blocks"])
    var records = RecordWriter()
    records.job(job)
    let session = try DeviceControlRecord(
      device: device, session: identifier, attempt: 1, jobRecord: Array(records.bytes))
    let groupCount = max(1, (mebibyteCount << 20) / GroupLimits.rawLimit)
    let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: GroupLimits.rawLimit, alignment: 4096)
    defer { raw.deallocate() }
    for index in raw.indices { raw[index] = UInt8(truncatingIfNeeded: index &* 167) }
    let total = GroupHeader.byteCount + raw.count
    let position = GroupEncoder.Position(
      kind: .data, flags: GroupHeader.mayCommitFlag, session: identifier, attempt: 1, firstEntry: 1, firstOffset: 0)
    let watch = Stopwatch()
    for number in 1...groupCount {
      let room = try session.reserve(total)
      // As bytes come from the network: the group is there, plain, and only its digest was computed by the sender.
      _ = try GroupEncoder.plain.encode(
        UnsafeRawBufferPointer(raw), recordCount: 1, position, number: UInt64(number), into: room)
      _ = try session.append(reserved: total)
    }
    _ = try session.commit()
    watch.report(isBuffered ? "block write, buffered" : "block write", groupCount * total, "bytes")
    session.abort()
    try device.close()
  }
}
