import VaultModel

/// A compression library's call that failed for want of memory.
package struct CompressionError: DescribedError {
  /// The library function.
  package let call: String

  package var exitStatus: ExitStatus { .jobFailed }
  package var description: String { "There is no memory for what \(call) needs." }
}
