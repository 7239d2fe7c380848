import Synchronization
import VaultSystem

/// Counts what a restore writes into files, and tells a thread that puts it on the disk each time that enough has come together.
package final class WriteBacklog: Sendable {
  /// What a new file costs the disk beside its bytes: its inode, its name and the blocks that are not full.
  static let fileByteCount = 4096

  private let step: UInt64
  private let written: Atomic<UInt64>
  private let isFinished = Atomic(false)
  private let monitor = Monitor()

  /// - Parameter step: bytes after which the disk begins; a quarter of them the first time, as it has nothing to do till then. So
  ///   many, and what comes while they are written, are what the end of a restore waits for. A disk that is slower than the
  ///   restore gets more at a time: all that came while it wrote.
  package init(step: UInt64 = 64 << 20) {
    self.step = max(1, step)
    written = Atomic(self.step - self.step / 4)
  }

  /// What was written so far, as if three quarters of a step had been before.
  var byteCount: UInt64 { written.load(ordering: .relaxed) }

  /// Bytes were written.
  package func add(_ byteCount: Int) {
    let sum = written.wrappingAdd(UInt64(byteCount), ordering: .relaxed)
    if sum.oldValue / step != sum.newValue / step { monitor.signal() }
  }

  /// Waits until another step is full.
  ///
  /// - Parameter steps: how many steps the caller knows of; then how many are full.
  /// - Returns: false when no step is full and no more is written.
  package func wait(beyond steps: inout UInt64) -> Bool {
    while true {
      let ticket = monitor.ticket()
      let isFinished = isFinished.load(ordering: .acquiring)
      let full = byteCount / step
      if full != steps {
        steps = full
        return true
      }
      if isFinished { return false }
      monitor.wait(since: ticket)
    }
  }

  /// Says that no more is written: whoever waits goes on.
  package func finish() {
    isFinished.store(true, ordering: .releasing)
    monitor.signal()
  }
}
