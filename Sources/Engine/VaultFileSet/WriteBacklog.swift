import Synchronization
import VaultSystem

/// Counts what a restore writes into files, and tells threads that put it on the disk each time that enough has come together.
package final class WriteBacklog: Sendable {
  /// What a new file costs the disk beside its bytes: its inode, its name and the blocks that are not full.
  static let fileByteCount = 4096

  private let step: UInt64
  private let written: Atomic<UInt64>
  private let takenStepCount = Atomic<UInt64>(0)
  private let isFinished = Atomic(false)
  private let monitor = Monitor()

  /// - Parameter step: bytes after which the disk begins; a sixteenth of them the first time, as it has nothing to do till then.
  ///   So many, and what comes while they are written, are what the end of a restore waits for. When the disk is slower than the
  ///   restore, it gets more at a time: all that came while every thread waited for it.
  package init(step: UInt64 = 256 << 20) {
    self.step = max(1, step)
    written = Atomic(self.step - self.step / 16)
  }

  /// What was written so far, as if fifteen sixteenths of a step had been before.
  var byteCount: UInt64 { written.load(ordering: .relaxed) }

  /// Bytes were written.
  package func add(_ byteCount: Int) {
    let sum = written.wrappingAdd(UInt64(byteCount), ordering: .relaxed)
    if sum.oldValue / step != sum.newValue / step { monitor.signal() }
  }

  /// Waits until a step is full that nobody took, and takes all that are.
  ///
  /// - Returns: false when there is none and no more is written.
  package func takeSteps() -> Bool {
    while true {
      let ticket = monitor.ticket()
      let isFinished = isFinished.load(ordering: .acquiring)
      let full = byteCount / step
      if takenStepCount.max(full, ordering: .relaxed).oldValue < full { return true }
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
