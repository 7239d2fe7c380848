import ArgumentParser
import VaultModel

/// A path or a name on the command line: bytes.
struct PathArgument: ExpressibleByArgument {
  let bytes: ByteString

  /// Shells complete it as a path; a name says otherwise where it is declared.
  static var defaultCompletionKind: CompletionKind { .file() }

  /// - Parameter argument: text as `ArgumentBytes` carries bytes; nothing is not a name.
  init?(argument: String) {
    guard !argument.isEmpty else { return nil }
    bytes = ArgumentBytes.bytes(argument)
  }
}
