import CLinux

/// What ends a thread's wait for a descriptor: once signalled, every wait ends at once.
package final class WakeUp: Sendable {
  private let descriptor: Descriptor

  package init() throws(SystemError) {
    let number = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard number >= 0 else { throw .current("eventfd", "wake-up") }
    descriptor = Descriptor(owning: number)
  }

  var number: Int32 { descriptor.rawValue }

  /// Ends all waits, now and later.
  package func signal() {
    var one: UInt64 = 1
    // A full counter wakes as well.
    _ = CLinux.write(number, &one, MemoryLayout<UInt64>.size)
  }

  /// Takes the signal back: later waits wait again.
  func clear() {
    var value: UInt64 = 0
    _ = CLinux.read(number, &value, MemoryLayout<UInt64>.size)
  }
}
