import SystemPackage
import VaultModel

/// A system call that failed.
package struct SystemError: DescribedError, Hashable {
  package let errno: Errno
  /// The call's name.
  package let call: String
  /// What it was called on: a path, or a word such as "pipe".
  package let object: String

  package init(_ errno: Errno, call: String, object: String) {
    self.errno = errno
    self.call = call
    self.object = object
  }

  /// The error that the C library's `errno` holds now.
  package static func current(_ call: String, _ object: @autoclosure () -> String) -> SystemError {
    SystemError(Errno(rawValue: currentErrorNumber()), call: call, object: object())
  }

  package var exitStatus: ExitStatus {
    switch errno {
    case .noSuchFileOrDirectory: .notFound
    default: .jobFailed
    }
  }
  package var description: String { "\(object): \(call) failed: \(errno.description)." }
}
