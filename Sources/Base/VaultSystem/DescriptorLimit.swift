import Glibc

/// How many descriptors this process may have open.
package enum DescriptorLimit {
  /// Raises the soft limit to the hard one; where that fails the limit stays.
  ///
  /// - Returns: the limit that holds now.
  @discardableResult
  package static func raise() -> Int {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return 1024 }
    let former = limit.rlim_cur
    limit.rlim_cur = limit.rlim_max
    if former < limit.rlim_max, setrlimit(resource, &limit) != 0 { limit.rlim_cur = former }
    return Int(clamping: limit.rlim_cur)
  }

  /// Waits a hundredth of a second for other threads to close some.
  package static func pause() { _ = poll(nil, 0, 10) }
}
