import Console
import Local
import VaultModel
import VolumeTools

/// Scans volumes on a thread of its own: it reads and writes files all the time. A signal ends it where it is, as a
/// power cut would: the catalog is rebuilt in transactions, and another scan completes it.
enum VolumeScanning {
  static func run(volumes: [ByteString], repository: ByteString) async throws -> VolumeScanReport {
    try await abandonable(name: "vault-scan") { try VolumeScanCommand.run(volumes: volumes, repository: repository) }
  }

  /// Scans volumes into a view of their own, and runs `body` on them.
  static func use<Result: Sendable>(
    _ volumes: [ByteString], _ body: @Sendable (LocalVolumeCommands) async throws -> Result
  ) async throws -> Result {
    let view = try await abandonable(name: "vault-scan") { try VolumeView.open(volumes) }
    return try await LocalVolumes.use(view, body)
  }
}
