import VaultModel

/// A regular file whose size and times say that its content is the known one: reading it tells.
struct Comparison: Sendable {
  /// The known content's digest.
  let digest: Digest256?
  /// Its attributes are all as they were; only the known content cannot be trusted.
  let onlyDoubted: Bool

  init(known: ContentReference, onlyDoubted: Bool) {
    digest = known.digest
    self.onlyDoubted = onlyDoubted
  }
}

extension ContentReference {
  var digest: Digest256? {
    switch self {
    case .none, .own: nil
    case .stored(_, let sealed), .extents(_, let sealed): sealed.digest
    }
  }
}

extension JobCounters {
  /// Counts an entry by what reading it told.
  mutating func count(_ comparison: Comparison, isSame: Bool) {
    switch (isSame, comparison.onlyDoubted) {
    case (false, _): changedChecksum += 1
    case (true, false): changedAttributes += 1
    case (true, true): unchanged += 1
    }
  }

  /// Adds bytes to a counter; sparse files may sum up to more than a catalog holds.
  mutating func add(_ byteCount: UInt64, to field: WritableKeyPath<JobCounters, UInt64>) {
    self[keyPath: field] = self[keyPath: field].addingClamped(byteCount)
  }

  /// Adds what workers count.
  mutating func add(worked other: JobCounters) {
    for field in Self.workedFields { add(other[keyPath: field], to: field) }
  }

  private static let workedFields: [WritableKeyPath<JobCounters, UInt64> & Sendable] = [
    \.changedChecksum, \.changedAttributes, \.unchanged, \.bytesRead, \.bytesKnown, \.bytesSent, \.bytesStored,
    \.problems,
  ]
}
