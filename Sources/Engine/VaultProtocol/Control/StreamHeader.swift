import VaultModel

/// Seed 001's header packet, `<file-index> <stream-id> <info>`: what the data packets behind it are.
///
/// - Bounds: at most `byteLimit` bytes; the file index from 1 to 2^63 − 1, the stream from 1 to 64.
/// - Source: seed 001, "SD Append Requests".
package struct StreamHeader: Hashable, Sendable {
  package enum Content: Hashable, Sendable {
    /// Record groups, as their sender numbered them.
    case groups
    /// The bytes of one file with this name, which the storage daemon makes groups of.
    case file(name: ByteString)
  }

  package static let byteLimit = 1024
  /// The stream of record groups; those below it are single files.
  package static let groupStream: UInt8 = 64

  package let index: UInt64
  package let stream: UInt8
  package let content: Content

  /// Reads the payload of a frame.
  ///
  /// - Throws: `FormatError`: `.outOfBounds`, `.malformed`, `.illegalName`.
  package init(_ payload: [UInt8]) throws(FormatError) {
    func error(_ kind: FormatError.Kind) -> FormatError { FormatError(kind, "header packet") }
    guard payload.count <= Self.byteLimit else { throw error(.outOfBounds) }
    let words = payload.split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
    guard words.count >= 2, let index = UInt64(words[0]), let stream = UInt8(words[1]) else { throw error(.malformed) }
    guard index > 0, index <= UInt64(Int64.max), (1...Self.groupStream).contains(stream) else {
      throw error(.outOfBounds)
    }
    self.index = index
    self.stream = stream
    guard stream != Self.groupStream else {
      content = .groups
      return
    }
    guard words.count == 3, let name = ControlLine.decodedWord(words[2]) else { throw error(.malformed) }
    guard name.bytes.withUnsafeBytes({ NameRules.isName($0) }) else { throw error(.illegalName) }
    content = .file(name: name)
  }
}
