import VaultCrypto
import VaultModel
import VaultProtocol

/// The lists of extended attributes that a batch of the plan wants, and how they come out of attribute groups.
struct ExtendedCollector {
  /// A group to be read.
  struct Fetch {
    var session: UniqueIdentifier
    var location: GroupLocation
  }

  /// What is wanted and was not found yet, by carrier.
  private(set) var missing: [ContentIdentifier: ExtendedReference] = [:]
  private(set) var fetches: [Fetch] = []
  /// The list that is being put together: its records follow each other.
  private var partial: (carrier: ContentIdentifier, bytes: [UInt8])?

  /// Notes what rows want that is not in `lists`, and which of the groups hold it.
  init(rows: [PlanBatch.Row], locations: [PlanBatch.SessionLocations], lists: ExtendedLists) {
    for row in rows {
      guard let reference = row.entry.extended, missing[reference.carrier] == nil, !lists.contains(reference) else {
        continue
      }
      missing[reference.carrier] = reference
    }
    guard !missing.isEmpty else { return }
    var indexes: [UniqueIdentifier: [UInt64]] = [:]
    for carrier in missing.keys { indexes[carrier.session, default: []].append(carrier.index) }
    for run in locations {
      let wanted = Self.firstEntries(of: run.locations, holding: indexes[run.session] ?? [])
      for location in run.locations where location.kind == .attributes && wanted.contains(location.firstEntry) {
        fetches.append(Fetch(session: run.session, location: location))
      }
    }
  }

  /// All groups of a unit of work begin with the unit's first entry: an entry lies in those with the last one at or before it.
  private static func firstEntries(of locations: [GroupLocation], holding indexes: [UInt64]) -> Set<UInt64> {
    let firsts = Set(locations.map(\.firstEntry)).sorted()
    return Set(
      indexes.compactMap { index in
        var low = 0
        var high = firsts.count
        while low < high {
          let middle = (low + high) / 2
          if firsts[middle] <= index { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? firsts[low - 1] : nil
      })
  }

  /// Takes the wanted lists out of one group's records.
  ///
  /// - Throws: `FormatError` for records that are damaged; what was complete before is kept.
  mutating func take(
    _ records: UnsafeRawBufferPointer, of session: UniqueIdentifier, into lists: ExtendedLists,
    _ hasher: inout SHA256Hasher
  ) throws {
    var reader = RecordReader(records)
    while let record = try reader.next() {
      guard case .extendedAttributes(let index, let offset, let total, let bytes) = record else { continue }
      let carrier = ContentIdentifier(session: session, index: index)
      guard let reference = missing[carrier], total == reference.byteCount else { continue }
      if offset == 0 { partial = (carrier, []) }
      guard partial?.carrier == carrier, partial?.bytes.count == Int(offset) else { continue }
      partial?.bytes += bytes
      guard let whole = partial?.bytes, whole.count == Int(total) else { continue }
      partial = nil
      try hasher.begin()
      try whole.withUnsafeBytes { try hasher.update($0) }
      guard try hasher.finish() == reference.digest else { continue }
      try lists.add(reference, ByteString(whole))
      missing[carrier] = nil
    }
  }
}
