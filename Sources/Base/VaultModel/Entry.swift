/// A name in a directory with what the file system says of it and where its bytes are.
package struct Entry: Hashable, Sendable {
  package var name: ByteString
  package var attributes: FileAttributes
  package var content: ContentReference
  /// A symbolic link's target; empty for everything else.
  package var linkTarget: ByteString
  /// Where its extended attributes are; nil when it has none.
  package var extended: ExtendedReference?

  package init(
    name: ByteString, attributes: FileAttributes, content: ContentReference = .none, linkTarget: ByteString = "",
    extended: ExtendedReference? = nil
  ) {
    self.name = name
    self.attributes = attributes
    self.content = content
    self.linkTarget = linkTarget
    self.extended = extended
  }
}

/// Where an entry's extended attributes are, and what proves that they are found.
///
/// Entries with the same attributes refer to one list, which the first of them carried.
package struct ExtendedReference: Hashable, Sendable {
  /// The session that carried the list, and the index of the entry that it stands behind.
  package var carrier: ContentIdentifier
  /// The list's length as it is stored.
  package var byteCount: UInt32
  /// SHA-256 of the list.
  package var digest: Digest256

  package init(carrier: ContentIdentifier, byteCount: UInt32, digest: Digest256) {
    self.carrier = carrier
    self.byteCount = byteCount
    self.digest = digest
  }
}

/// Whose number a name stands for.
package enum OwnerKind: UInt8, Sendable, CaseIterable {
  case user = 1
  case group = 2
}

/// Why a file could not be saved, as far as the reader could tell.
package enum ProblemPhase: UInt8, Sendable, CaseIterable {
  /// The name was there but its attributes could not be read.
  case examine = 1
  case open = 2
  case read = 3
  /// A directory could not be listed to its end.
  case list = 4
  /// The content changed while it was read; what was read is stored.
  case changed = 5
  /// A path that was asked for does not exist.
  case missing = 6
  /// Not all of its extended attributes could be read; the entry is stored with those that could.
  case attributes = 7
}

/// A file that could not be saved as it is.
package struct FileProblem: Hashable, Sendable {
  package var directory: DirectoryKey
  package var name: ByteString
  package var phase: ProblemPhase
  /// The system's error number; 0 when no call failed.
  package var errorNumber: Int32

  package init(directory: DirectoryKey, name: ByteString, phase: ProblemPhase, errorNumber: Int32) {
    self.directory = directory
    self.name = name
    self.phase = phase
    self.errorNumber = errorNumber
  }
}
