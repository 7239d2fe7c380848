import VaultModel

/// What stops a command before a role is asked.
struct CommandError: DescribedError, Hashable {
  enum Kind: Hashable, Sendable {
    case noPathExists([ByteString])
  }

  let kind: Kind

  static func noPathExists(_ paths: [ByteString]) -> CommandError { CommandError(kind: .noPathExists(paths)) }

  var exitStatus: ExitStatus { .notFound }

  var description: String {
    switch kind {
    case .noPathExists(let paths):
      let names = paths.map(\.displayText)
      return names.count == 1
        ? "\(names[0]) does not exist: nothing was saved."
        : "None of these exists, so nothing was saved: \(names.joined(separator: ", "))."
    }
  }
}
