import VaultModel
import VaultSystem

/// What stops a command before a role is asked.
struct CommandError: DescribedError, Hashable {
  enum Kind: Hashable, Sendable {
    case noPathExists([ByteString])
    case exclusionFile(ByteString, SystemError)
  }

  let kind: Kind

  static func noPathExists(_ paths: [ByteString]) -> CommandError { CommandError(kind: .noPathExists(paths)) }

  /// A file of patterns that cannot be read: without it too much would be saved.
  static func exclusionFile(_ path: ByteString, _ cause: SystemError) -> CommandError {
    CommandError(kind: .exclusionFile(path, cause))
  }

  var exitStatus: ExitStatus {
    switch kind {
    case .noPathExists: .notFound
    case .exclusionFile: .usage
    }
  }

  var description: String {
    switch kind {
    case .exclusionFile(let path, let cause):
      return "--exclude-from \(path.displayText): cannot be read: \(cause.errno.description). Nothing was saved."
    case .noPathExists(let paths):
      let names = paths.map(\.displayText)
      return names.count == 1
        ? "\(names[0]) does not exist: nothing was saved."
        : "None of these exists, so nothing was saved: \(names.joined(separator: ", "))."
    }
  }
}
