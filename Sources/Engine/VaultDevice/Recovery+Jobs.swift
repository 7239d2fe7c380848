import VaultModel
import VaultProtocol

extension Recovery {
  /// The job of a session whose start block lies below a known end and was not read.
  ///
  /// It walks from header to header, so that a volume costs one small read for each block; what it cannot find stays nil.
  func job(of session: UniqueIdentifier, lastVolume: Int) -> JobDescription? {
    for index in (0...lastVolume).reversed() where candidates[index].knownEnd > 0 {
      let name = candidates[index].volume.name
      do throws(DeviceError) {
        let file: any VolumeFile
        do throws(StoreError) { file = try store.open(name, forAppending: false) } catch {
          throw DeviceError(error, volume: name)
        }
        let label = try VolumeLabel.read(file, name: name)
        try label.check(is: candidates[index].volume.identifier, of: repository, name: name)
        if let job = try Self.job(of: session, file, label, name, end: candidates[index].knownEnd) { return job }
      } catch { continue }
    }
    return nil
  }

  private static func job(
    of session: UniqueIdentifier, _ file: any VolumeFile, _ label: VolumeLabel, _ name: String, end: UInt64
  ) throws(DeviceError) -> JobDescription? {
    var walk = BlockHeaderWalk(file: file, volume: label.identifier, name: name, to: end)
    while let (header, offset) = try walk.next() {
      guard header.kind == .sessionStart, header.session == session else { continue }
      // The scanner verifies what the walk only believed.
      let next = offset + UInt64(header.paddedByteCount)
      var scanner = VolumeScanner(file: file, label: label, name: name, from: offset, to: next)
      if case .block(let header, let address)? = try scanner.next() {
        var collector = SessionCollector(only: session)
        let position = BlockPosition(volume: 0, address: address, byteCount: header.paddedByteCount)
        _ = collector.add(header, scanner.payload, at: position)
        if let job = collector.sessions[session]?.job { return job }
      }
    }
    return nil
  }
}
