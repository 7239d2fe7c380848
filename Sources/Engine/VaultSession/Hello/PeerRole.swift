import VaultProtocol

/// Who is at an end of a connection.
package enum PeerRole: String, Sendable, CaseIterable {
  case console
  case director
  case fileDaemon = "file-daemon"
  case storageDaemon = "storage-daemon"

  /// The code with which the role answers a hello.
  package var helloCode: StatusCode {
    switch self {
    case .console, .director: .directorOK
    case .fileDaemon: .fileDaemonOK
    case .storageDaemon: .storageOK
    }
  }

  /// The code with which the role refuses one.
  package var refusalCode: StatusCode {
    switch self {
    case .console, .director: .directorRefused
    case .fileDaemon: .fileDaemonFailed
    case .storageDaemon: .storageRefused
    }
  }

  /// The code with which the role refuses a connection above its limits.
  package var busyCode: StatusCode {
    switch self {
    case .console, .director: .directorBusy
    case .fileDaemon: .fileDaemonBusy
    case .storageDaemon: .storageBusy
    }
  }

  /// The code with which the role refuses a peer that claims to be somebody else than was authenticated.
  package var mistrustCode: StatusCode {
    switch self {
    case .console, .director: .directorMistrusts
    case .fileDaemon: .fileDaemonMistrusts
    case .storageDaemon: .storageMistrusts
    }
  }
}
