/// What a power cut does to sectors that were written and not synced.
package enum CrashMode: Sendable, CaseIterable {
  /// All of them reached the medium.
  case keep
  /// None of them did.
  case drop
  /// Each by chance, and the file's length too.
  case tear
}

extension MemoryVolumeStore.Content.State {
  /// Makes the medium equal to the cache, but for sectors that an earlier failed sync lost.
  mutating func synchronize() {
    merge(unsynced)
    unsynced.removeAll()
  }

  /// Reads again from the medium what a failed sync gave up: such sectors are clean, and memory may forget them.
  mutating func forgetLost() {
    let size = MemoryVolumeStore.sectorSize
    for sector in lost where sector * size < cached.count {
      cached.copy(sector * size..<min(cached.count, (sector + 1) * size), from: durable)
    }
    lost.removeAll()
  }

  /// Copies some sectors to the medium, which takes the cache's length.
  private mutating func merge(_ sectors: Set<Int>) {
    let size = MemoryVolumeStore.sectorSize
    durable.resize(to: cached.count)
    for sector in sectors where sector * size < cached.count {
      durable.copy(sector * size..<min(cached.count, (sector + 1) * size), from: cached)
    }
  }

  /// A sync that failed: some sectors reached the medium, the others are given up and count as clean.
  mutating func loseUnsynced(using generator: inout some RandomNumberGenerator) {
    let kept = unsynced.sorted().filter { _ in Bool.random(using: &generator) }
    merge(Set(kept))
    lost.formUnion(unsynced.subtracting(kept))
    unsynced.removeAll()
  }

  /// What the medium holds after the power was cut.
  func crashed(_ mode: CrashMode, using generator: inout some RandomNumberGenerator) -> MemoryImage {
    var state = self
    switch mode {
    case .keep: state.merge(unsynced)
    case .drop: break
    case .tear:
      let between = Int.random(
        in: min(durable.count, cached.count)...max(durable.count, cached.count), using: &generator)
      let lengths = [durable.count, cached.count, between]
      state.merge(Set(unsynced.sorted().filter { _ in Bool.random(using: &generator) }))
      let length = lengths[Int.random(in: 0..<3, using: &generator)]
      let merged = state.durable.count
      state.durable.resize(to: length)
      // A cut that did not reach the medium leaves the old bytes behind the new end.
      if length > merged { state.durable.copy(merged..<length, from: durable) }
    }
    return state.durable
  }
}

extension MemoryVolumeStore {
  /// The store as a new process finds it after a power cut now; this one is not changed.
  package func crashImage(_ mode: CrashMode, using generator: inout some RandomNumberGenerator) -> MemoryVolumeStore {
    var image: [String: Content] = [:]
    for (name, content) in contents.sorted(by: { $0.key < $1.key }) {
      image[name] = Content(content.state.withLock { $0 }.crashed(mode, using: &generator))
    }
    return MemoryVolumeStore(files: image)
  }

  /// Makes a file's unsynced sectors clean without all of them being on the medium: what a failed sync does.
  package func loseUnsynced(of name: String, using generator: inout some RandomNumberGenerator) {
    guard let content = contents[name] else { return }
    content.state.withLock { $0.loseUnsynced(using: &generator) }
  }
}
