import Synchronization
import VaultSystem

/// Runs blocking work on a thread of its own; when the task is cancelled the wait ends at once and the work is
/// abandoned.
///
/// Only for work that may end at any instant, as at a power cut: the process is about to end with it.
func abandonable<Result: Sendable>(
  name: String, _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
  let waiting = Mutex<CheckedContinuation<Result, any Error>?>(nil)
  let end: @Sendable (Swift.Result<Result, any Error>) -> Void = { result in
    waiting.withLock { waiting in
      waiting?.resume(with: result)
      waiting = nil
    }
  }
  return try await withTaskCancellationHandler {
    try Task.checkCancellation()
    return try await withCheckedThrowingContinuation { continuation in
      waiting.withLock { $0 = continuation }
      // Cancelled between the check and here: nobody else would resume.
      if Task.isCancelled { end(.failure(CancellationError())) }
      do {
        try WorkerThread(name: name) { end(Swift.Result { try body() }) }.detach()
      } catch {
        end(.failure(error))
      }
    }
  } onCancel: {
    end(.failure(CancellationError()))
  }
}
