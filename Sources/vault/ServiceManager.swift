import Glibc
import VaultSystem

/// The manager that started the process, where there is one.
///
/// - Source: sd_notify(3).
enum ServiceManager {
  /// Tells it that the daemon is ready to serve.
  @Sendable static func tellReady() {
    guard let path = getenv("NOTIFY_SOCKET") else { return }
    NotifySocket.send("READY=1\n", to: Array(UnsafeRawBufferPointer(start: path, count: strlen(path))))
  }
}
