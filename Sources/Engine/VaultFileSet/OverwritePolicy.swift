import struct SystemPackage.Errno
import VaultModel

/// What a restore does where a name is taken already.
package enum OverwritePolicy: String, Sendable, CaseIterable {
  /// Keeps what is there.
  case never
  /// Replaces what was modified earlier than what is restored.
  case newer
  /// Replaces it; a directory only when it is empty.
  case always

  /// Whether something that is there makes way.
  func replaces(_ existing: FileAttributes, with modified: FileTime) -> Bool {
    switch self {
    case .never: false
    case .newer: existing.modified < modified
    case .always: true
    }
  }
}

/// What became of an entry that was to be restored.
package enum RestoreOutcome: Hashable, Sendable {
  /// It is there, but for the attributes named.
  case written(UnsetAttributes)
  /// Something else has its name and was kept.
  case exists
}

/// What became of a directory that was to be restored.
package enum DirectoryOutcome: Hashable, Sendable {
  case made
  /// A directory was there; it keeps its attributes unless the policy replaces them.
  case used(isReplaced: Bool)
  /// Something else has its name and was kept: what belongs into it will fail.
  case kept
}

/// Attributes that the system or the file system refused to set, each kind with the first error.
package struct UnsetAttributes: Hashable, Sendable, ExpressibleByArrayLiteral {
  package enum Kind: UInt8, Sendable, CaseIterable {
    case owner, mode, times, extendedAttributes, inodeFlags
  }

  package private(set) var errors: [Kind: Errno] = [:]

  /// Kinds without an error of the system's.
  package init(arrayLiteral kinds: Kind...) {
    for kind in kinds { errors[kind] = Errno(rawValue: 0) }
  }

  package var isEmpty: Bool { errors.isEmpty }
  package var kinds: Set<Kind> { Set(errors.keys) }
  package func contains(_ kind: Kind) -> Bool { errors[kind] != nil }

  mutating func insert(_ kind: Kind, _ error: Errno) {
    if errors[kind] == nil { errors[kind] = error }
  }
}
