import ArgumentParser
import VaultModel

/// A path or a name on the command line: bytes.
struct PathArgument: ExpressibleByArgument {
  let bytes: ByteString

  /// - Parameter argument: text as `ArgumentBytes` carries bytes; nothing is not a name.
  init?(argument: String) {
    guard !argument.isEmpty else { return nil }
    bytes = ArgumentBytes.bytes(argument)
  }
}
