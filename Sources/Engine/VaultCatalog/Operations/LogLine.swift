import VaultModel

/// One line of a job's log; job 0 is the daemon itself.
package struct LogLine: Hashable, Sendable {
  /// The line's place in its log, from 1: the catalog gives it.
  package var number: UInt64
  package var time: Timestamp
  /// What kind of message it is: the field's message classes, such as `info`, `warning` and `error`.
  package var messageClass: String
  package var text: String

  /// How many bytes of UTF-8 a text may have; a longer one is cut.
  package static let textLimit = 8 << 10
  package static let messageClassLimit = 64
  /// How many lines of one log are kept: the newest.
  package static let lineLimit: Int64 = 100_000

  package init(number: UInt64 = 0, time: Timestamp, messageClass: String, text: String) {
    self.number = number
    self.time = time
    self.messageClass = messageClass
    self.text = text
  }

  /// The line as both engines can hold it: cut to its limits, without the character that PostgreSQL has none of.
  var bounded: LogLine {
    var line = self
    line.messageClass = Self.bounded(messageClass, Self.messageClassLimit)
    line.text = Self.bounded(text, Self.textLimit)
    return line
  }

  /// The longest beginning of whole characters that fits.
  private static func bounded(_ text: String, _ limit: Int) -> String {
    let text = text.utf8.contains(0) ? String(text.map { $0 == "\0" ? "\u{fffd}" : $0 }) : text
    guard text.utf8.count > limit else { return text }
    var end = text.startIndex
    var count = 0
    while end < text.endIndex {
      count += text[end].utf8.count
      if count > limit { break }
      end = text.index(after: end)
    }
    return String(text[..<end])
  }
}
