import Glibc
import VaultModel

/// Wall and processor time of one measurement.
struct Stopwatch {
  private let wall = Self.seconds(CLOCK_MONOTONIC)
  private let processor = Self.seconds(CLOCK_PROCESS_CPUTIME_ID)

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  var elapsedSeconds: Double { Self.seconds(CLOCK_MONOTONIC) - wall }
  var processorSeconds: Double { Self.seconds(CLOCK_PROCESS_CPUTIME_ID) - processor }

  /// Says how many units went through since the stopwatch was made.
  func report(_ name: String, _ amount: Int, _ unit: String) {
    // Both are read before anything is written.
    let (wall, processor) = (elapsedSeconds, processorSeconds)
    print(
      """
      {"name": "\(name)", "unit": "\(unit)", "amount": \(amount), "wallSeconds": \(wall), "cpuSeconds": \(processor)}
      """)
  }
}

/// The time of one call, many times over.
enum Repetition {
  static let count = 20

  /// Says the median of calls that differ by their number.
  static func report(_ name: String, _ body: (Int) throws -> Void) throws {
    var times: [Double] = []
    for number in 0..<count {
      let watch = Stopwatch()
      try body(number)
      times.append(watch.elapsedSeconds)
    }
    times.sort()
    let median = (times[(count - 1) / 2] + times[count / 2]) / 2
    print(
      """
      {"name": "\(name)", "unit": "call", "amount": \(count), "medianMilliseconds": \(median * 1000), \
      "slowestMilliseconds": \((times.last ?? 0) * 1000)}
      """)
  }
}

/// What a measurement cannot go on after.
struct MeasurementError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
