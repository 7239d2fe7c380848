import VaultModel

/// A place in a configuration file: line and column count from 1, columns in characters.
package struct SourcePosition: Hashable, Sendable, CustomStringConvertible {
  package var file: ByteString
  package var line: Int
  package var column: Int

  package init(file: ByteString, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }

  package var description: String { "\(file.displayText):\(line):\(column)" }
}

/// One thing that is wrong in a configuration: where, what, what was expected instead.
package struct ConfigurationMistake: Hashable, Sendable, CustomStringConvertible {
  package var position: SourcePosition
  package var text: String

  package init(position: SourcePosition, text: String) {
    self.position = position
    self.text = text
  }

  package var description: String { "\(position): \(text)" }
}

/// A configuration that cannot be used.
package struct ConfigurationError: DescribedError, Hashable {
  package enum Kind: Hashable, Sendable {
    /// All that is wrong, sorted by its place.
    case mistakes([ConfigurationMistake])
    /// A repository was made by a program that writes a format unknown to this one.
    case newerFormat(file: ByteString, found: UInt64, known: UInt64)
    /// The file that was named, or that is there by default, cannot be read at all.
    case unreadable(file: ByteString, reason: String)
  }

  package let kind: Kind

  package init(_ kind: Kind) { self.kind = kind }

  package var exitStatus: ExitStatus { .usage }

  /// One line for each mistake.
  package var description: String {
    switch kind {
    case .mistakes(let mistakes):
      var lines = mistakes.map(\.description)
      if mistakes.count >= ConfigurationLimits.mistakes {
        lines.append("There may be more mistakes: correct these first.")
      }
      return lines.joined(separator: "\n")
    case .newerFormat(let file, let found, let known):
      return "\(file.displayText): this repository was made by a newer vault: its format is \(found) and this program "
        + "knows formats up to \(known). Nothing was changed; use a newer vault."
    case .unreadable(let file, let reason):
      return "\(file.displayText) cannot be read: \(reason). 'vault init DIR' writes a working configuration."
    }
  }
}
