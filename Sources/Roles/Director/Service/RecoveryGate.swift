import VaultModel

/// Lets the volumes of each place be looked at once for every time that a storage daemon opened them.
actor RecoveryGate {
  private var recovered: [String: UniqueIdentifier] = [:]
  private var running: [String: Task<UniqueIdentifier, any Error>] = [:]

  /// Whether the volumes were looked at since the device was opened.
  func isRecovered(_ place: String, _ incarnation: UniqueIdentifier) -> Bool { recovered[place] == incarnation }

  /// Runs a recovery of a place, or waits for the one that runs.
  ///
  /// - Parameter body: returns the incarnation that was recovered.
  func recover(_ place: String, _ body: @escaping @Sendable () async throws -> UniqueIdentifier) async throws {
    if let task = running[place] {
      _ = try await task.value
      return
    }
    // A task of its own: others wait for it, so that the cancellation of the job that began it must not end it.
    let task = Task { try await body() }
    running[place] = task
    defer { running[place] = nil }
    recovered[place] = try await task.value
  }
}
