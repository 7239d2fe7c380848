import Console

/// Problems that are more than anybody wants to read.
enum ProblemWords {
  /// The line behind a list that is cut.
  static func more(_ count: UInt64, listed: Int) -> [String] {
    let rest = count - min(count, UInt64(listed))
    return rest > 0 ? ["… and \(Figures.count(rest, "problem", "problems")) more."] : []
  }
}

extension ProblemTally {
  /// A line for each kind: `3 problems: could not be opened: Permission denied (first: /etc/shadow)`.
  func lines(_ words: (Reason) -> String) -> [String] {
    var lines = kinds.map { kind in
      let place = kind.count == 1 ? kind.first.displayText : "first: " + kind.first.displayText
      return "\(Figures.count(kind.count, "problem", "problems")): \(words(kind.reason)) (\(place))"
    }
    if otherCount > 0 { lines.append("\(Figures.count(otherCount, "problem", "problems")) of other kinds") }
    return lines
  }
}

extension JSONWriter {
  /// The kinds of problems: how often, and the first path.
  mutating func problemKinds<Reason>(_ tally: ProblemTally<Reason>, _ words: (Reason) -> String) {
    key("problemKinds")
    array { writer in
      for kind in tally.kinds {
        writer.object { writer in
          writer.field("reason", words(kind.reason))
          writer.field("count", kind.count)
          writer.field("firstPath", kind.first)
        }
      }
    }
  }
}
