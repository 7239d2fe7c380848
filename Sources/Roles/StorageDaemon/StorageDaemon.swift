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
  /// How long a client may go on with a session that is over.
  private static let cutNanoseconds: UInt64 = 3_000_000_000

  package let devices: DeviceTable
  let clock: any VaultClock
  let jobs = JobTable()
  let mailboxes = MailboxTable()
  /// Jobs that may run at once; nil for any number.
  let jobLimit: Int?
  let log: MessageLog?
  let activity: PeerActivity
  /// Where peers may fall silent: who wakes up for it.
  private let poller: Poller?
  /// What is done whenever a job's work here has ended.
  private let onJobEnd: @Sendable () -> Void
  let hello: Hello
  /// On which terms a peer is served; nil for one that is not configured.
  private let terms: @Sendable (Hello) -> PeerTerms?
  var name: String { hello.name }

  package init(
    name: String, devices: DeviceTable, clock: any VaultClock, jobLimit: Int? = nil, log: MessageLog? = nil,
    peerTimeoutSeconds: UInt64 = 60, poller: Poller? = nil, onJobEnd: @escaping @Sendable () -> Void = {},
    terms: @escaping @Sendable (Hello) -> PeerTerms? = { _ in PeerTerms() }
  ) {
    self.terms = terms
    self.onJobEnd = onJobEnd
    self.poller = poller
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
      var boundJob: UniqueIdentifier?
      if case .job(let job)? = channel.transport.peerIdentity.flatMap({ PeerIdentity($0) })?.purpose {
        // From here on the key opens nothing more, whatever becomes of the connection.
        switch jobs.useKey(of: job) {
        case .control?: boundJob = job
        case .data(let flow)?:
          defer { onJobEnd() }
          return try await DataConnection(storage: self, channel: channel, flow: flow).run()
        case nil:
          log?.tell(.security, "\(channel.transport.peer): The key of job \(job) was used before.")
          return
        }
      }
      let mailbox = Mailbox()
      defer { mailboxes.remove(mailbox) }
      let peer = try await hello.answer(channel, allowing: [.director, .fileDaemon], terms: terms) { [boundJob] peer in
        guard peer.role == .fileDaemon else { return }
        // A client that knows it is connected misses nothing that is posted.
        mailboxes.add(mailbox, of: peer.name, director: boundJob.flatMap { jobs.director(of: $0) })
      }
      guard let peer else { return }
      switch peer.role {
      case .director:
        var conversation = DirectorConversation(storage: self, channel: channel, director: peer)
        try await conversation.run()
      case .fileDaemon:
        guard boundJob != nil || channel.transport.peerIdentity == nil else { return }
        defer { onJobEnd() }
        try await FileDaemonConversation(
          storage: self, channel: channel, client: peer.name, boundJob: boundJob, mailbox: mailbox
        ).run()
      case .console, .storageDaemon: return
      }
    } catch {
      // The peer is gone or cannot be understood: its jobs end as their own channels say, other conversations go on.
      if let text = PeerComplaint.text(about: error, from: channel.transport.peer) { log?.tell(.security, text) }
    }
  }

  /// Posts a notification to every connection that a client has for a director's jobs: its next request is answered with that.
  ///
  /// - Returns: how many connections there are.
  /// - Source: seed 001, "SD Connections and Sessions".
  func post(_ text: String, to client: String, of director: String) -> Int {
    mailboxes.post(Notification(time: clock.now(), text: text), to: client, of: director)
  }

  /// Tells who opened a session, and the log, of the device's error that ended it.
  func notify(_ job: AnnouncedJob, of error: any Error) {
    guard let error = error as? DeviceError, error.isOfDevice else { return }
    job.messages?.tell(.error, error.description)
    job.tellOwner(Notification(time: clock.now(), text: "Session \(job.session): \(error.description)"))
  }

  /// Ends a session that will not be closed in order: what no commit covers is dropped.
  func abort(_ job: AnnouncedJob) {
    job.record.abort()
    job.commits.finish()
    withdraw(job)
  }

  /// The same, when the director has gone, which whoever opened the session is told.
  func abortLeft(_ job: AnnouncedJob) {
    abort(job)
    job.tellOwner(
      Notification(time: clock.now(), text: "Session \(job.session) was aborted: its director is gone."))
  }

  /// The same, and ends the conversation that the data comes on some time after: whoever is there has heard by then that the session is
  /// over, and a peer that says nothing would keep its thread for ever.
  func cut(_ job: AnnouncedJob) {
    abortLeft(job)
    _ = poller?.after(nanoseconds: Self.cutNanoseconds) { job.connection.withLock { $0.take() }?.close() }
  }

  /// Ends the jobs of directors that have been silent for too long.
  func abortLost() {
    for job in jobs.running where activity.isLost(job.director) {
      log?.tell(
        .warning, "Director \(job.director) gives no sign of life: session \(job.session.text) is given up.")
      cut(job)
    }
  }

  /// Takes a job off the list: another may have its place.
  func withdraw(_ job: AnnouncedJob) {
    if jobs.withdraw(job) { devices.endJob(on: job.device) }
  }
}

extension DeviceError {
  /// Whether the client did not bring it about itself.
  fileprivate var isOfDevice: Bool {
    switch kind {
    case .groupRefused, .sessionAborted(nil), .closed: false
    default: true
    }
  }
}
