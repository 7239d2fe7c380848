import VaultModel
import VaultProtocol

/// A commit as the volumes show it.
package struct RecoveredCommit: Hashable, Sendable {
  package var number: UInt64
  package var attempt: UInt32
  /// The groups that the commit adds, by number, as far as they were found.
  package var groups: [GroupLocation]
  /// The numbers that it covers and that were not found; always empty where recovery counts a commit.
  package var missing: [ClosedRange<UInt64>]
  /// Whether every group it adds was found and its rolling digest matches.
  package var isWhole: Bool
  /// The volumes that it touches, with their ends after it.
  package var volumes: [Volume]

  package init(
    number: UInt64, attempt: UInt32, groups: [GroupLocation], missing: [ClosedRange<UInt64>] = [], isWhole: Bool,
    volumes: [Volume]
  ) {
    self.number = number
    self.attempt = attempt
    self.groups = groups
    self.missing = missing
    self.isWhole = isWhole
    self.volumes = volumes
  }
}

/// A session as the volumes show it.
package struct RecoveredSession: Hashable, Sendable {
  package var session: UniqueIdentifier
  /// What a session-start block says of the job; nil when none of the session's can be read, or replay began behind it.
  package var job: JobDescription?
  /// Commits in order of their numbers.
  package var commits: [RecoveredCommit]
  /// What the session-end block says; nil when the session did not end.
  package var outcome: JobOutcome?
  /// What the next attempt continues from: the state after the last commit counted.
  package var state: ResumeState
  /// The highest attempt met, dead ones too: the next one must be higher.
  package var highestAttempt: UInt32

  package init(
    session: UniqueIdentifier, job: JobDescription?, commits: [RecoveredCommit], outcome: JobOutcome?,
    state: ResumeState, highestAttempt: UInt32
  ) {
    self.session = session
    self.job = job
    self.commits = commits
    self.outcome = outcome
    self.state = state
    self.highestAttempt = highestAttempt
  }
}

/// Damage that was met, and where.
package struct VolumeDamage: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// The file is not there, too short, foreign, swapped, of a newer format, or unreadable.
    case volume(DeviceError)
    /// Bytes below the volume's end that are no block.
    case bytes(offset: UInt64, byteCount: UInt64)
    /// A whole block whose content is malformed.
    case content(BlockAddress)
    /// A commit of which groups are missing, or whose digest does not match.
    case commit(session: UniqueIdentifier, number: UInt64)
  }

  /// The volume's name.
  package var volume: String
  package var kind: Kind

  package init(_ kind: Kind, volume: String) {
    self.kind = kind
    self.volume = volume
  }
}

extension VolumeDamage: CustomStringConvertible {
  package var description: String {
    switch kind {
    case .volume(let error): error.description
    case .bytes(let offset, let byteCount): "Volume \(volume): \(byteCount) bytes at \(offset) are no block."
    case .content(let address): "Volume \(volume), block \(address.block): its content is malformed."
    case .commit(let session, let number): "Volume \(volume): commit \(number) of session \(session) is not whole."
    }
  }
}
