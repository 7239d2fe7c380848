import Glibc

/// Where a command talks to a person: standard error. Nothing in what it says can command a terminal.
package struct Talk: Sendable {
  private let sink: @Sendable (String) -> Void

  package init(sink: @escaping @Sendable (String) -> Void) { self.sink = sink }

  /// The process's standard error; that it takes nothing is nobody's concern.
  static let system = Talk { text in
    var text = text
    _ = text.withUTF8 { writeAll(UnsafeRawBufferPointer($0), to: STDERR_FILENO) }
  }

  /// Why the command ends; each line with the program's name in front.
  func error(_ text: String) { note(text) }

  /// Something to know.
  func note(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: true).map {
      "vault: " + printable(String($0)) + "\n"
    }
    sink(lines.joined())
  }

  /// Terminal orders of our own.
  func raw(_ text: String) { sink(text) }

  /// Text of several lines as it is: usage and help.
  func plain(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    sink(lines.map { printable(ArgumentBytes.shown(String($0))) }.joined(separator: "\n") + "\n")
  }
}

/// The text with everything that is no visible character, or that changes the order of characters, as `\xNN`.
func printable(_ text: String) -> String {
  var shown = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    if scalar.isInvisible {
      for byte in Array(String(scalar).utf8) {
        shown.append(contentsOf: ("\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)).unicodeScalars)
      }
    } else {
      shown.append(scalar)
    }
  }
  return String(shown)
}

extension Unicode.Scalar {
  /// Whether a terminal takes it as an order rather than as a character.
  var isInvisible: Bool {
    if value >= 0x20, value < 0x7f { return false }
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: return true
    default: return false
    }
  }
}
