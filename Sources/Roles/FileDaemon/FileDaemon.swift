import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The file daemon: reads the client's files for backups and writes them in restores.
///
/// `run()` serves directors until its listener closes.
package struct FileDaemon: Sendable {
  let dialStorage: @Sendable () async throws -> Channel
  let clock: any VaultClock
  let workerCount: Int
  /// Directories that are never backed up, by device and inode: the repository itself.
  let excludedDirectories: [FileIdentity]
  private let hello: Hello

  package init(
    name: String, clock: any VaultClock, workerCount: Int, excludedDirectories: [FileIdentity],
    dialStorage: @escaping @Sendable () async throws -> Channel
  ) {
    self.dialStorage = dialStorage
    self.clock = clock
    self.workerCount = max(1, workerCount)
    self.excludedDirectories = excludedDirectories
    hello = Hello(role: .fileDaemon, name: name)
  }

  /// Serves until the listener closes.
  package func run(_ listener: PipeListener) async {
    await withDiscardingTaskGroup { group in
      while let transport = await listener.accept() {
        group.addTask { await serve(Channel(transport)) }
      }
      group.cancelAll()
    }
  }

  private func serve(_ channel: Channel) async {
    defer { channel.close() }
    do {
      guard try await hello.answer(channel, allowing: [.director]) != nil else { return }
      while let line = try await channel.receiveLine() {
        switch line.verb {
        // A connection carries one job, and ends with it.
        case "backup": return try await backup(line, channel)
        case "estimate": return try await estimate(line, channel)
        case "restore": return try await restore(line, channel)
        case "verify": return try await verify(line, channel)
        case "noop": try await channel.sendReply(Reply(.fileDaemonOK))
        default:
          try await channel.sendReply(
            Reply(.fileDaemonFailed, refusing: ControlError(.malformedLine, line: line.verb)))
        }
      }
    } catch let error as any DescribedError where error is ControlError || error is ExclusionPatternError {
      // An order that cannot be read is answered before the conversation ends.
      try? await channel.sendReply(Reply(.fileDaemonFailed, refusing: error))
    } catch {
      // The director is gone or cannot be understood; its jobs ended with their own channels.
      return
    }
  }

  private func backup(_ line: ControlLine, _ channel: Channel) async throws {
    let (paths, patterns) = (try await receiveList(.paths, channel), try await receiveList(.patterns, channel))
    let order = try BackupOrder(line, paths: paths, patterns: patterns)
    try await channel.sendReply(Reply(.fileDaemonOK))
    let reply = await BackupJob(daemon: self, order: order, director: channel).run()
    try await channel.sendFrame(.jobEnd, reply.line.encoded())
  }

  private func estimate(_ line: ControlLine, _ channel: Channel) async throws {
    let (paths, patterns) = (try await receiveList(.paths, channel), try await receiveList(.patterns, channel))
    let order = try EstimateOrder(line, paths: paths, patterns: patterns)
    try await channel.sendReply(Reply(.fileDaemonOK))
    let reply = await EstimateJob(daemon: self, order: order, director: channel).run()
    try await channel.sendFrame(.jobEnd, reply.line.encoded())
  }

  private func receiveList(_ kind: FrameKind, _ channel: Channel) async throws -> [ByteString] {
    let frame = try await channel.receiveFrame()
    guard frame.kind == kind else {
      throw TransportError(
        .malformed("a frame of kind \(frame.kind) where \(kind) belong"), peer: channel.transport.peer)
    }
    return try frame.payload.withUnsafeBytes { try PathList.decode($0) }
  }

  private func restore(_ line: ControlLine, _ channel: Channel) async throws {
    let order = try RestoreOrder(line)
    try await channel.sendReply(Reply(.fileDaemonOK))
    let reply = await RestoreJob(daemon: self, order: order, director: channel).run()
    try await channel.sendFrame(.jobEnd, reply.line.encoded())
  }

  /// A restore of every content that writes nothing: only digests are compared.
  private func verify(_ line: ControlLine, _ channel: Channel) async throws {
    guard let name = UniqueIdentifier(text: try line.word(0).text ?? "") else {
      throw ControlError(.malformedField("verify"), line: line.verb)
    }
    try await channel.sendReply(Reply(.fileDaemonOK))
    let reply = await RestoreJob(daemon: self, order: RestoreOrder(verifying: name), director: channel).run()
    try await channel.sendFrame(.jobEnd, reply.line.encoded())
  }
}
