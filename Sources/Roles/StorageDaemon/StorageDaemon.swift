import VaultDevice
import VaultMessages
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The storage daemon: writes job data to volumes on its device and reads it back.
///
/// `run()` serves directors and file daemons until its listener closes.
package struct StorageDaemon: Sendable {
  package let devices: DeviceTable
  let clock: any VaultClock
  let jobs = JobTable()
  /// Jobs that may run at once; nil for any number.
  let jobLimit: Int?
  let log: MessageLog?
  let activity: PeerActivity
  let hello: Hello
  /// On which terms a peer is served; nil for one that is not configured.
  private let terms: @Sendable (Hello) -> PeerTerms?
  var name: String { hello.name }

  package init(name: String, devices: DeviceTable, clock: any VaultClock, jobLimit: Int? = nil, log: MessageLog? = nil,
    peerTimeoutSeconds: UInt64 = 60, terms: @escaping @Sendable (Hello) -> PeerTerms? = { _ in PeerTerms() }
  ) {
    self.terms = terms
    activity = PeerActivity(timeoutSeconds: peerTimeoutSeconds, clock: clock)
    self.log = log
    self.jobLimit = jobLimit
    self.devices = devices
    self.clock = clock
    hello = Hello(role: .storageDaemon, name: name)
  }

  /// A storage daemon with one device, for the one director there is.
  package init(name: String, device: Device, clock: any VaultClock) {
    self.init(name: name, devices: DeviceTable(only: device, clock: clock), clock: clock)
  }

  /// Serves until the listener closes.
  package func run(_ listener: any Listener) async {
    await withDiscardingTaskGroup { group in
      while let transport = await listener.accept() {
        group.addTask {
          let channel = Channel(transport)
          // Threads of a job wait for the peer itself: only the end of the conversation wakes them.
          await withTaskCancellationHandler {
            await serve(channel)
          } onCancel: {
            channel.close()
          }
        }
      }
      group.cancelAll()
    }
  }

  private func serve(_ channel: Channel) async {
    defer { channel.close() }
    do {
      guard let peer = try await hello.answer(channel, allowing: [.director, .fileDaemon], terms: terms) else { return }
      let identity = channel.transport.peerIdentity.flatMap { PeerIdentity($0) }
      switch peer.role {
      case .director:
        var conversation = DirectorConversation(storage: self, channel: channel, director: peer.name)
        try await conversation.run()
      case .fileDaemon:
        try await FileDaemonConversation(storage: self, channel: channel, boundJob: try boundJob(identity)).run()
      case .console, .storageDaemon: return
      }
    } catch {
      // The peer is gone or cannot be understood: its jobs end as their own channels say, other conversations go on.
      if let text = PeerComplaint.text(about: error, from: channel.transport.peer) { log?.tell(.security, text) }
    }
  }

  /// The job whose key opened the connection; nil for a connection that needs none.
  ///
  /// - Throws: when another connection came with the key before.
  private func boundJob(_ identity: PeerIdentity?) throws -> UniqueIdentifier? {
    guard let identity else { return nil }
    guard case .job(let job) = identity.purpose, jobs.useKey(of: job) else { throw StorageError(.unknownJob) }
    return job
  }

  /// Ends the jobs of directors that have been silent for too long.
  func abortLost() {
    for job in jobs.running where activity.isLost(job.director) {
      log?.tell(
        .warning, "Director \(job.director) gives no sign of life: session \(job.session.text) is given up.")
      cut(job)
    }
  }
}
