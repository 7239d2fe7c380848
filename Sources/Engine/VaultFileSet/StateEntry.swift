import VaultModel

/// What is known of a name from the state that the walk is compared with, lent by a `StateSource`.
package struct StateEntry {
  /// The directory key's bytes.
  package let directory: UnsafeRawBufferPointer
  package let name: UnsafeRawBufferPointer
  package let attributes: FileAttributes
  /// The known content may not be what the file held last (its seal says racy, partial or changed while reading).
  package let mustBeReadAgain: Bool

  package init(
    directory: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer, attributes: FileAttributes, mustBeReadAgain: Bool
  ) {
    self.directory = directory
    self.name = name
    self.attributes = attributes
    self.mustBeReadAgain = mustBeReadAgain
  }
}

/// Where the state comes from, row by row in canonical order.
package protocol StateSource: ~Copyable {
  /// The next row; nil after the last. Its bytes are valid until the next call.
  mutating func next() throws -> StateEntry?

  /// The content of the row that `next()` returned last.
  var content: ContentReference { get }
}

/// No state: everything is new, as for a full backup.
package struct EmptyState: StateSource {
  package init() {}
  package mutating func next() throws -> StateEntry? { nil }
  package var content: ContentReference { .none }
}

/// Holds the bytes of one row, for sources whose rows do not lie still in memory.
package struct StateEntryBuffer: ~Copyable {
  private var directory = ByteArena(capacity: 4096)
  private var name = ByteArena(capacity: 256)

  package init() {}

  /// The rows that follow are in this directory.
  package mutating func setDirectory(_ key: DirectoryKey) {
    directory.truncate(to: 0)
    key.bytes.bytes.withUnsafeBytes { directory.append($0) }
  }

  /// A row in the directory set last, lent until the next change.
  package mutating func entry(
    name newName: ByteString, attributes: FileAttributes, mustBeReadAgain: Bool
  ) -> StateEntry {
    name.truncate(to: 0)
    newName.bytes.withUnsafeBytes { name.append($0) }
    return StateEntry(
      directory: directory.bytes, name: name.bytes, attributes: attributes, mustBeReadAgain: mustBeReadAgain)
  }
}

extension ContentReference {
  /// Whether the seal says that the content may not be what the file held last.
  package var mustBeReadAgain: Bool {
    switch self {
    case .none, .own: false
    case .stored(_, let sealed), .extents(_, let sealed): !sealed.flags.isEmpty
    }
  }
}
