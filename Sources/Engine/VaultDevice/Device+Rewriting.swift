import VaultModel

extension Device {
  /// Begins to rewrite a volume: nothing is appended to it any more, and a new one is labelled to take its place.
  ///
  /// - Parameters:
  ///   - records: whole retention records: all that is known of dropped jobs.
  ///   - sessions: those that a rebuilt catalog needs.
  /// - Throws: `.volumeInUse`, `.noRoomToRewrite`, and what reading and writing volumes throws; nothing has changed then.
  package func beginRewrite(
    of identifier: UniqueIdentifier, recording records: [[UInt8]], needed sessions: Set<UniqueIdentifier>
  ) throws(DeviceError) -> VolumeRewrite {
    let old = try closeForRewriting(identifier)
    do throws(DeviceError) {
      return try VolumeRewrite(old, on: self, recording: records, needed: sessions)
    } catch {
      keepRewritten(old)
      throw error
    }
  }

  /// Takes a volume out of use.
  ///
  /// - Returns: the volume as it was.
  private func closeForRewriting(_ identifier: UniqueIdentifier) throws(DeviceError) -> Volume {
    try current.withLock { (current) throws(DeviceError) in
      let (known, isBusy) = state.withLock { state in
        (state.volumes[identifier], state.writers.values.contains { $0.touched[identifier] != nil })
      }
      guard let volume = known else { throw DeviceError(.unknownVolume(identifier)) }
      guard !isBusy else { throw DeviceError(.volumeInUse, volume: volume.name) }
      guard volume.status == .append || volume.status == .full else {
        throw DeviceError(.notAppendable, volume: volume.name)
      }
      if current?.identifier == identifier { current = nil }
      state.withLock { $0.volumes[identifier]?.status = .full }
      closeIdleVolumes()
      return volume
    }
  }

  /// The volume stays after all.
  func keepRewritten(_ old: Volume) {
    state.withLock { state in
      if state.volumes[old.identifier]?.status == .full { state.volumes[old.identifier]?.status = old.status }
    }
  }

  /// Takes in the volume that takes another's place.
  func adopt(_ volume: Volume) {
    state.withLock { state in
      state.volumes[volume.identifier] = volume
      state.changed.insert(volume.identifier)
    }
  }
}
