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

/// Attributes that the system or the file system refused to set.
package struct UnsetAttributes: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Only a privileged process may give files away: no error for anybody else.
  package static let owner = UnsetAttributes(rawValue: 1)
  package static let mode = UnsetAttributes(rawValue: 2)
  package static let times = UnsetAttributes(rawValue: 4)
}
