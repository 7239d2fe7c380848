import VaultModel

/// Where a session's data lies on one volume, in the words that `append close session` answers and `read open session` takes.
///
/// - Layout: `<Volume-id> <start-file> <start-block> <end-file> <end-block> <volume-session-id>`.
/// - Source: seed 001, "SD Append Requests".
package struct VolumeLine: Hashable, Sendable {
  package static let wordCount = 6

  /// The name on the volume's label, or its UUID.
  package var volume: ByteString
  package var start: BlockAddress
  package var end: BlockAddress
  package var session: UniqueIdentifier

  package init(volume: ByteString, start: BlockAddress, end: BlockAddress, session: UniqueIdentifier) {
    self.volume = volume
    self.start = start
    self.end = end
    self.session = session
  }

  /// Reads the words; nil when they are not of that form, or the end lies before the start.
  package init?(words: some Collection<ByteString>) {
    let words = Array(words)
    guard words.count == Self.wordCount, let session = words[5].text.flatMap({ UniqueIdentifier(text: $0) }) else {
      return nil
    }
    let numbers = words[1...4].compactMap { $0.text.flatMap { UInt32($0) } }
    guard numbers.count == 4 else { return nil }
    self.init(
      volume: words[0], start: BlockAddress(file: numbers[0], block: numbers[1]),
      end: BlockAddress(file: numbers[2], block: numbers[3]), session: session)
    guard start <= end else { return nil }
  }

  package var words: [ByteString] {
    [volume] + [start.file, start.block, end.file, end.block].map { ByteString(String($0)) }
      + [ByteString(session.text)]
  }

  /// The line of a closed session's list.
  package var line: ControlLine { ControlLine("Volume", words: words) }
}
