import Glibc
import Synchronization
import SystemPackage
import VaultConfiguration
import VaultModel
import VaultSystem

/// Where a daemon's messages go: by their classes to files, to standard output, into the catalog, to consoles, to a director.
///
/// Telling never waits: a thread writes. When it cannot keep up, what has no room is counted, and that is told. Files are
/// only appended to, a message at a time, so that several daemons may share one.
package final class MessageLog: Sendable {
  /// Messages that wait to be written at most.
  private static let waitingLimit = 4_096
  /// Messages for consoles that are kept at most; older ones go.
  private static let consoleLimit = 1_000

  /// A message, and what is to become of it.
  private struct Told: Sendable {
    var message: Message
    /// Where those of its job, or of the daemon, went when it was told.
    var routes: [MessagesResource.Route]
    /// Whether it goes to standard error, too: nothing says where it goes, or nobody else gets it.
    var isShown: Bool
  }

  private struct State {
    var forConsole: [Message] = []
    /// Jobs whose connections lead to their directors, the newest last.
    var ways: [JobMessages] = []
    /// Jobs whose messages go where a resource of their own says.
    var routesOfJobs: [JobNumber: [MessagesResource.Route]] = [:]
    var suppressedCount = 0
    var isEnded = false
  }

  private let daemon: String
  private let routes: [MessagesResource.Route]
  private let clock: any VaultClock
  /// Whether all messages go to standard error, too.
  private let echoes: Bool
  /// Whether nothing says where the daemon's messages go.
  private let isUnrouted: Bool
  private let queue = BoundedQueue<Told>(capacity: MessageLog.waitingLimit)
  private let keep: (@Sendable ([Message]) throws -> Void)?
  private let state = Mutex(State())
  private let ended = Monitor()

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - resource: where messages go; nil sends them to standard error.
  ///   - echoes: whether they go to standard error, too.
  ///   - keep: puts messages into the catalog, where there is one; may block.
  /// - Throws: `SystemError` when there is no thread to be had.
  package init(
    of daemon: String, resource: MessagesResource?, clock: any VaultClock, echoes: Bool = false,
    keep: (@Sendable ([Message]) throws -> Void)? = nil
  ) throws(SystemError) {
    self.daemon = daemon
    routes = resource?.routes ?? []
    self.clock = clock
    self.keep = keep
    self.echoes = echoes
    isUnrouted = resource == nil
    let thread = try WorkerThread(name: "vault-messages") { [self] in
      writeAll()
      state.withLock { $0.isEnded = true }
      ended.signal()
    }
    thread.detach()
  }

  /// Tells something.
  package func tell(_ messageClass: MessageClass, job: JobNumber? = nil, _ text: String) {
    tell(Message(time: clock.now(), messageClass, job: job, text), of: nil)
  }

  private func tell(_ message: Message, of job: JobMessages?) {
    let own = message.job.flatMap { number in state.withLock { $0.routesOfJobs[number] } }
    let isShown = echoes || own == nil && isUnrouted || !isTold(message, of: job)
    if !queue.pushIfRoom(Told(message: message, routes: own ?? routes, isShown: isShown)) {
      state.withLock { $0.suppressedCount += 1 }
    }
  }

  // MARK: Jobs

  /// Lets the messages of a job go where a resource says, from now on until `release`.
  package func follow(_ job: JobNumber, to resource: MessagesResource) {
    state.withLock { $0.routesOfJobs[job] = resource.routes }
  }

  /// A job is over.
  package func release(_ job: JobNumber) { state.withLock { _ = $0.routesOfJobs.removeValue(forKey: job) } }

  // MARK: Directors

  /// Begins what a job of a director tells here.
  package func job(_ number: JobNumber?, of director: String) -> JobMessages {
    JobMessages(log: self, director: director, number: number)
  }

  func tell(_ messageClass: MessageClass, of job: JobMessages, _ text: String) {
    tell(Message(time: clock.now(), messageClass, job: job.number, text), of: job)
  }

  /// Whether any message is to go to a director.
  func leads(to director: String) -> Bool { routes.contains { $0.destination == .director(director) } }

  /// A job's connection takes messages from now on.
  func opened(_ job: JobMessages) { state.withLock { $0.ways.append(job) } }

  /// A job's connection takes no more messages.
  func closed(_ job: JobMessages) { state.withLock { $0.ways.removeAll { $0 === job } } }

  /// Hands a message to the directors that it is routed to: one of a job to that job's only.
  ///
  /// - Returns: false when a director could not be told and no other route takes it.
  private func isTold(_ message: Message, of job: JobMessages?) -> Bool {
    let wanting = routes.filter { $0.classes.contains(message.messageClass) }
    var isLeftOver = false
    for route in wanting {
      guard case .director(let name) = route.destination else { continue }
      // A job's messages are its director's only: what is routed to another's needs another place.
      if let job, job.director != name {
        isLeftOver = isLeftOver || !leads(to: job.director)
        continue
      }
      let way = job ?? state.withLock { $0.ways.last { $0.director == name } }
      if way?.offer(message) != true { isLeftOver = true }
    }
    return !isLeftOver || wanting.contains(where: \.destination.isHere)
  }

  /// A director could not be told in the end: a message that has no other place goes to standard error.
  func keep(_ message: Message) {
    let isHere = routes.contains { $0.classes.contains(message.messageClass) && $0.destination.isHere }
    if !isHere, !echoes { Self.write(message.line(of: daemon), to: STDERR_FILENO) }
  }

  /// Takes the messages that wait for a console.
  package func takeForConsole() -> [Message] {
    state.withLock { state in
      defer { state.forConsole = [] }
      return state.forConsole
    }
  }

  /// Writes what was told before, and ends.
  package func close() {
    queue.finish()
    while true {
      let ticket = ended.ticket()
      if state.withLock({ $0.isEnded }) { return }
      ended.wait(since: ticket)
    }
  }

  // MARK: The thread

  private func writeAll() {
    while let told = queue.pop() {
      write(told)
      let suppressed = state.withLock { state in
        defer { state.suppressedCount = 0 }
        return state.suppressedCount
      }
      if suppressed > 0 {
        write(
          Told(
            message: Message(
              time: clock.now(), .warning, "\(suppressed) messages were suppressed: they came too fast."),
            routes: routes, isShown: echoes || isUnrouted))
      }
    }
  }

  private func write(_ told: Told) {
    let message = told.message
    if told.isShown { Self.write(message.line(of: daemon), to: STDERR_FILENO) }
    for route in told.routes where route.classes.contains(message.messageClass) {
      switch route.destination {
      case .standardOutput: Self.write(message.line(of: daemon), to: STDOUT_FILENO)
      case .file(let path): append(message.line(of: daemon), to: path)
      case .console:
        state.withLock { state in
          if state.forConsole.count >= Self.consoleLimit { state.forConsole.removeFirst() }
          state.forConsole.append(message)
        }
      case .catalog:
        do { try keep?([message]) } catch {
          Self.write(Message(time: clock.now(), .error, "\(error)").line(of: daemon), to: STDERR_FILENO)
        }
      // It was handed over when it was told.
      case .director: continue
      }
    }
  }

  private static func write(_ line: String, to descriptor: Int32) {
    // Nobody is left to be told that the last place for messages takes none.
    var line = line
    line.withUTF8 { bytes in
      var done = 0
      while done < bytes.count {
        let count = Glibc.write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        done += count
      }
    }
  }

  private func append(_ line: String, to path: ByteString) {
    do throws(SystemError) {
      let file = try Descriptor.open(path, [.writeOnly, .create, .append], mode: 0o640)
      Self.write(line, to: file.rawValue)
    } catch {
      Self.write(
        Message(time: clock.now(), .error, "\(error) It was to take: \(line)").line(of: daemon), to: STDERR_FILENO)
    }
  }
}

extension MessagesResource.Destination {
  /// Whether it is one of this daemon's own.
  fileprivate var isHere: Bool {
    if case .director = self { false } else { true }
  }
}
