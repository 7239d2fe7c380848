import Glibc
import Synchronization
import SystemPackage
import VaultConfiguration
import VaultModel
import VaultSystem

/// Where a daemon's messages go: by their classes to files, to standard output, into the catalog, to consoles.
///
/// Telling never waits: a thread writes. When it cannot keep up, what has no room is counted, and that is told. Files are
/// only appended to, a message at a time, so that several daemons may share one.
package final class MessageLog: Sendable {
  /// Messages that wait to be written at most.
  private static let waitingLimit = 4_096
  /// Messages for consoles that are kept at most; older ones go.
  private static let consoleLimit = 1_000

  private struct State {
    var forConsole: [Message] = []
    var suppressedCount = 0
    var isEnded = false
  }

  private let daemon: String
  private let routes: [MessagesResource.Route]
  private let clock: any VaultClock
  /// Whether all messages go to standard error.
  private let isEchoing: Bool
  private let queue = BoundedQueue<Message>(capacity: MessageLog.waitingLimit)
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
    isEchoing = echoes || resource == nil
    let thread = try WorkerThread(name: "vault-messages") { [self] in
      writeAll()
      state.withLock { $0.isEnded = true }
      ended.signal()
    }
    thread.detach()
  }

  /// Tells something.
  package func tell(_ messageClass: MessageClass, job: JobNumber? = nil, _ text: String) {
    if queue.pushIfRoom(Message(time: clock.now(), messageClass, job: job, text)) { return }
    state.withLock { $0.suppressedCount += 1 }
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
    while let message = queue.pop() {
      write(message)
      let suppressed = state.withLock { state in
        defer { state.suppressedCount = 0 }
        return state.suppressedCount
      }
      if suppressed > 0 {
        write(Message(time: clock.now(), .warning, "\(suppressed) messages were suppressed: they came too fast."))
      }
    }
  }

  private func write(_ message: Message) {
    if isEchoing { Self.write(message.line(of: daemon), to: STDERR_FILENO) }
    for route in routes where route.classes.contains(message.messageClass) {
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
