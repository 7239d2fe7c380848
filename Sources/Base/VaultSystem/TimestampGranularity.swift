import CLinux

/// How exactly a file system keeps the time of a file's last change.
package enum TimestampGranularity {
  /// The kernel's clock tick, generously.
  package static let usualNanoseconds: Int64 = 10_000_000
  /// FAT counts in steps of two seconds.
  package static let coarseNanoseconds: Int64 = 2_000_000_000

  private static let coarseFileSystems: Set<UInt32> = [
    0x4d44,  // FAT
    0x2011_bab0,  // exFAT
    0x4244, 0x482b,  // HFS, HFS+
  ]

  /// The granularity of the file system that an open file is on. The corresponding C function is `fstatfs`.
  package static func nanoseconds(of descriptor: Int32) -> Int64 {
    var status = statfs()
    guard fstatfs(descriptor, &status) == 0 else { return coarseNanoseconds }
    return coarseFileSystems.contains(UInt32(truncatingIfNeeded: status.f_type)) ? coarseNanoseconds : usualNanoseconds
  }
}
