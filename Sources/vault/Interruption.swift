import Glibc
import VaultModel

/// Turns SIGINT and SIGTERM into the cancellation of the running command.
///
/// The first signal cancels; the command stops in order and ends with status 130. The second ends the process as
/// signals do: the repository recovers from that at its next start. A signal that the parent had set to be ignored is
/// taken all the same: `vault` stops in the same way whoever started it.
enum Interruption {
  /// Runs the command as a task and ends the process with its status. To be called on the first thread, before there
  /// are others.
  static func run(_ body: @escaping @Sendable () async -> ExitStatus) -> Never {
    // Every thread inherits the mask, so that signals wait for this one.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    // Without the handlers of `exit`: they take libraries away from under threads that are just ending. What is to be
    // written has been.
    let task = Task { _exit(await body().rawValue) }

    var number: Int32 = 0
    while sigwait(&signals, &number) != 0 {}
    task.cancel()
    signal(SIGINT, SIG_DFL)
    signal(SIGTERM, SIG_DFL)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    while true { pause() }
  }
}
