import Glibc

/// What this process may do.
package enum CurrentProcess {
  /// Whether it runs as root: only root may give files away.
  package static var isPrivileged: Bool { geteuid() == 0 }
}
