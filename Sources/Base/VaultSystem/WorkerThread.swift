import CLinux
import Glibc

/// A plain thread for one stage of the data plane.
package struct WorkerThread: ~Copyable, Sendable {
  private final class Start: Sendable {
    let body: @Sendable () -> Void
    let name: String
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  private let handle: pthread_t

  /// Starts a thread; `name` (at most 15 bytes are kept) shows in `top -H`.
  ///
  /// - Throws: `SystemError` when the system refuses another thread.
  package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var handle = pthread_t()
    let code = pthread_create(
      &handle, nil,
      { argument in
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        _ = vault_set_thread_name(start.name)
        start.body()
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      start.release()
      throw SystemError(.init(rawValue: code), call: "pthread_create", object: name)
    }
    self.handle = handle
  }

  /// Waits until the thread ended.
  package consuming func join() { pthread_join(handle, nil) }
}

/// Runs blocking work on a thread of its own while the calling task waits by continuation.
package func onThread<Result: Sendable>(
  name: String, _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
  try await withCheckedThrowingContinuation { continuation in
    do {
      let thread = try WorkerThread(name: name) { continuation.resume(with: Swift.Result { try body() }) }
      thread.detach()
    } catch {
      continuation.resume(throwing: error)
    }
  }
}

extension WorkerThread {
  /// Lets the thread end on its own; its end is observed through what it signals.
  package consuming func detach() { pthread_detach(handle) }
}
