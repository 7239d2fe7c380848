import Glibc

/// What this process may do, and where it runs.
package enum CurrentProcess {
  /// Whether it runs as root: only root may give files away.
  package static var isPrivileged: Bool { geteuid() == 0 }

  /// The user whose files it makes. The corresponding C function is `geteuid`.
  package static var userID: UInt32 { geteuid() }

  /// The group whose files it makes, where a directory does not say otherwise. The corresponding C function is `getegid`.
  package static var groupID: UInt32 { getegid() }

  /// A variable of its environment; nil when it is not set, or is no text. The corresponding C function is `getenv`.
  package static func environment(_ name: String) -> String? { getenv(name).flatMap { String(validatingCString: $0) } }

  /// What this machine is called. The corresponding C function is `gethostname`.
  package static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
