import VaultDevice
import VaultModel
import VaultProtocol

/// What `vault volume list` tells of one volume.
package struct VolumeListing: Sendable {
  /// What of one session lies on the volume.
  package struct Session: Sendable {
    package var session: UniqueIdentifier
    /// Nil when the session's start cannot be read.
    package var job: JobDescription?
    /// Nil when the session did not end, as far as the volumes given tell.
    package var outcome: JobOutcome?
    package var groups: UInt64
    package var bytes: UInt64
  }

  package var name: String
  package var identifier: UniqueIdentifier
  package var repository: UniqueIdentifier
  package var pool: String
  package var labelName: String
  package var labeled: Timestamp
  /// Behind the last block that counts.
  package var byteCount: UInt64
  package var sessions: [Session]
}

/// `vault volume list`: what volumes say they hold.
package enum VolumeListCommand {
  /// Scans volume files, or all volumes of directories. Blocks its thread.
  ///
  /// - Returns: the volumes in the order in which they were made, what is wrong, and what was left out, in words.
  package static func run(volumes paths: [ByteString]) throws -> (
    volumes: [VolumeListing], damage: [String], leftOut: [String]
  ) {
    let report = try ScannedFiles.scan(try ScannedFiles.find(paths)).report
    let volumes = zip(report.volumes, report.labels).map { volume, label in
      VolumeListing(
        name: volume.name, identifier: volume.identifier, repository: label.record.repository, pool: label.record.pool,
        labelName: label.record.name, labeled: label.record.labeled, byteCount: volume.end.byteOffset,
        sessions: report.sessions.compactMap { Self.part(of: $0, on: volume.identifier) })
    }
    return (
      volumes, (report.unexplainedDamage + report.tornEnds).map(\.description), report.leftOut.map(\.description)
    )
  }

  private static func part(of session: RecoveredSession, on volume: UniqueIdentifier) -> VolumeListing.Session? {
    var groups: UInt64 = 0
    var bytes: UInt64 = 0
    for commit in session.commits {
      for group in commit.groups where group.volume == volume {
        groups += 1
        bytes += UInt64(group.storedLength)
      }
    }
    guard groups > 0 else { return nil }
    return VolumeListing.Session(
      session: session.session, job: session.job, outcome: session.outcome, groups: groups, bytes: bytes)
  }
}
