/// What a record is; the numbers are in vault-volume(5).
package enum RecordKind: UInt16, Sendable, CaseIterable {
  case directory = 1
  case entry = 2
  case contentData = 3
  case seal = 4
  case deletion = 5
  case extendedAttributes = 6
  case problem = 7
  case ownerName = 8
  case job = 16
  case jobEnd = 17
  case commit = 32
  case retention = 33
  case replacement = 34
  case label = 48

  /// Whether a reader that does not know the kind must refuse it.
  var isCritical: Bool { self != .problem && self != .ownerName }
}

/// The eight bytes before every record's payload.
///
/// - Layout: kind u16, flags u16 (bit 0: critical), payload length u32.
package struct RecordHeader {
  package static let byteCount = 8
  package static let criticalFlag: UInt16 = 1
}

/// The bounds of records and groups.
package enum GroupLimits {
  /// Raw bytes of a group's records at most.
  package static let rawLimit = 960 * 1024
  /// Header and stored bytes of a group at most.
  package static let storedLimit = 1024 * 1024 - 8 * 1024
  /// Headers of a content-data record.
  package static let contentDataOverhead = RecordHeader.byteCount + 16
  /// Content bytes in one content-data record at most.
  package static let contentDataLimit = rawLimit - contentDataOverhead
  /// An entry record at most, its extended attributes not counted.
  package static let entryLimit = 64 * 1024
  /// Headers of an extended attributes record.
  package static let extendedOverhead = RecordHeader.byteCount + 16
  /// Bytes of a list of extended attributes in one record at most.
  package static let extendedDataLimit = 64 * 1024
  /// Extended attributes of one entry at most, as they are stored.
  package static let extendedListLimit = 16 * 1024 * 1024
}
