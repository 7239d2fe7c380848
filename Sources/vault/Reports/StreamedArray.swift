import Synchronization

/// A JSON array that is written while its elements come.
final class StreamedArray: Sendable {
  private let output: StandardOutput
  private let count = Mutex<UInt64>(0)

  init(output: StandardOutput) { self.output = output }

  /// Adds an object.
  func add(_ body: (inout JSONWriter) -> Void) {
    // In one lock, so that the mark between two elements stands between them.
    count.withLock { count in
      var writer = JSONWriter()
      writer.object(body)
      output.write(Array((count == 0 ? "[\n" : ",\n").utf8) + writer.takeBytes())
      count += 1
    }
  }

  /// Ends the array.
  func end() { output.write(count.withLock { $0 } == 0 ? "[]\n" : "\n]\n") }
}
