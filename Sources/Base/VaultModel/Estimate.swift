/// What a backup would do with an entry.
package struct PlannedChange: Hashable, Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    case new
    case changed
    case deleted
  }

  package var kind: Kind
  /// The absolute path.
  package var path: ByteString

  package init(_ kind: Kind, _ path: ByteString) {
    self.kind = kind
    self.path = path
  }
}

/// What a backup would find, by the walk alone: no file was opened.
package struct BackupEstimate: Hashable, Sendable {
  /// Entries of every type, and of them regular files with their bytes.
  package var entriesSeen: UInt64 = 0
  package var regularFilesSeen: UInt64 = 0
  package var bytesSeen: UInt64 = 0
  package var new: UInt64 = 0
  /// Files that would be read and compared by digest are among them.
  package var changed: UInt64 = 0
  package var deleted: UInt64 = 0
  package var unchanged: UInt64 = 0
  /// Names left out; what lies below a directory left out was not looked at.
  package var excluded: UInt64 = 0
  /// Bytes of the files that would be read.
  package var bytesToRead: UInt64 = 0
  package var problems: UInt64 = 0

  package init() {}

  /// Adds bytes; sparse files may sum up to more than a number of a report holds.
  package mutating func add(_ byteCount: UInt64, to field: WritableKeyPath<BackupEstimate, UInt64>) {
    let sum = self[keyPath: field].addingReportingOverflow(byteCount)
    self[keyPath: field] = sum.overflow ? UInt64(Int64.max) : min(sum.partialValue, UInt64(Int64.max))
  }
}
