/// The exit status of every one-shot command.
package enum ExitStatus: Int32, Sendable, CaseIterable {
  case done = 0
  /// Done, but some files could not be read or written.
  case doneWithProblems = 1
  /// Wrong usage or configuration.
  case usage = 2
  case jobFailed = 3
  /// No such job, client, volume or path.
  case notFound = 4
  /// Could not connect, or was refused.
  case unreachable = 5
  /// In use by another process.
  case inUse = 6
  /// Stored data is damaged.
  case damaged = 7
  case interrupted = 130

  /// When several apply, the one with the highest precedence is the command's.
  private var precedence: Int {
    switch self {
    case .done: 0
    case .doneWithProblems: 1
    case .notFound: 2
    case .jobFailed: 3
    case .damaged: 4
    case .unreachable: 5
    case .inUse: 6
    case .usage: 7
    case .interrupted: 8
    }
  }

  /// The one of two statuses that a command ends with when both apply.
  package func combined(with other: ExitStatus) -> ExitStatus { precedence >= other.precedence ? self : other }
}

/// An error that can be told to a person: what failed, on which object, in which state it leaves things, what to do now.
package protocol DescribedError: Error, CustomStringConvertible, Sendable {
  /// The exit status of a one-shot command that ends with this error.
  var exitStatus: ExitStatus { get }
}
