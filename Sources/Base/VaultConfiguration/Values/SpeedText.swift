/// Speeds as people write them: a size and, if they like, `/s`: `10 MB/s`, `512k`.
package enum SpeedText {
  /// Bytes a second; nil when the text is no speed or too large.
  package static func parse(_ text: String) -> UInt64? {
    var rest = Substring(text)
    while rest.last == " " { rest.removeLast() }
    if rest.lowercased().hasSuffix("/s") { rest.removeLast(2) }
    return SizeText.parse(String(rest))
  }
}
