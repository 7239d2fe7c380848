import Glibc
import Synchronization
import VaultModel

/// Where a command's data goes, buffered.
///
/// When the reader has left, what is still written is dropped: that is no failure. Another failure is kept for
/// `finish()`.
package final class StandardOutput: Sendable {
  /// Takes all bytes, or says with which error number it could not.
  package typealias Sink = @Sendable (UnsafeRawBufferPointer) -> Int32

  private struct State {
    var buffer: [UInt8] = []
    var errorNumber: Int32 = 0
  }

  private static let bufferLimit = 64 << 10
  private let state = Mutex(State())
  private let sink: Sink

  package init(sink: @escaping Sink) { self.sink = sink }

  /// The process's standard output.
  static let system = StandardOutput { writeAll($0, to: STDOUT_FILENO) }

  /// Whether the reader has left.
  package var isClosed: Bool { state.withLock { $0.errorNumber == EPIPE } }

  func write(_ text: String) { write(Array(text.utf8)) }

  func write(_ bytes: [UInt8]) {
    state.withLock { state in
      guard state.errorNumber == 0 else { return }
      state.buffer.append(contentsOf: bytes)
      if state.buffer.count >= Self.bufferLimit { flush(&state) }
    }
  }

  /// Writes without delay: whoever reads follows what goes on.
  func writeNow(_ bytes: [UInt8]) {
    write(bytes)
    state.withLock { flush(&$0) }
  }

  /// Hands bytes on at once, behind what is buffered.
  ///
  /// - Throws: when they could not be written, also because the reader has left.
  func pass(_ bytes: [UInt8]) throws(OutputError) {
    let errorNumber = state.withLock { state in
      flush(&state)
      if state.errorNumber == 0 { state.errorNumber = bytes.withUnsafeBytes { sink($0) } }
      return state.errorNumber
    }
    guard errorNumber == 0 else { throw OutputError(errorNumber: errorNumber) }
  }

  /// Hands on what is buffered.
  ///
  /// - Throws: when anything of the output could not be written, unless its reader had left.
  package func finish() throws(OutputError) {
    let errorNumber = state.withLock { state in
      flush(&state)
      return state.errorNumber
    }
    guard errorNumber == 0 || errorNumber == EPIPE else { throw OutputError(errorNumber: errorNumber) }
  }

  private func flush(_ state: inout State) {
    guard state.errorNumber == 0, !state.buffer.isEmpty else { return }
    state.errorNumber = state.buffer.withUnsafeBytes { sink($0) }
    state.buffer.removeAll(keepingCapacity: true)
  }
}

/// Standard output took not all that there was to say.
package struct OutputError: DescribedError, Hashable {
  package let errorNumber: Int32

  package var exitStatus: ExitStatus { .doneWithProblems }
  package var description: String { "Standard output is incomplete: \(systemMessage(errorNumber))." }
}

/// Writes everything to a descriptor and gives 0, or the error number that stopped it.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
  var rest = bytes
  while !rest.isEmpty {
    let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
    if count < 0 {
      if errno == EINTR { continue }
      return errno
    }
    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
  }
  return 0
}

/// The system's words for an error number.
func systemMessage(_ errorNumber: Int32) -> String { String(cString: strerror(errorNumber)) }
