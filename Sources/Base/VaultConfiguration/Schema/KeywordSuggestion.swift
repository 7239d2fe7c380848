/// Finds the known keyword that somebody probably meant.
enum KeywordSuggestion {
  private static let lengthLimit = 64

  /// The nearest keyword; nil when none is near: at most a third of the letters, and at least one, may differ.
  static func nearest(to written: String, among known: [String]) -> String? {
    let wanted = Array(ConfigurationKeyword.normalize(written).utf8)
    guard wanted.count <= lengthLimit else { return nil }
    var best: (keyword: String, distance: Int)?
    for keyword in known {
      let candidate = Array(ConfigurationKeyword.normalize(keyword).utf8)
      let distance = distance(wanted, candidate)
      let limit = max(1, max(wanted.count, candidate.count) / 3)
      if distance <= limit, distance < best?.distance ?? .max { best = (keyword, distance) }
    }
    return best?.keyword
  }

  /// How many letters were inserted, left out, replaced, or swapped with their neighbour.
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for i in 0..<left.count {
      var current = [i + 1]
      current.reserveCapacity(right.count + 1)
      for j in 0..<right.count {
        var cost = min(last[j] + (left[i] == right[j] ? 0 : 1), last[j + 1] + 1, current[j] + 1)
        if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] { cost = min(cost, beforeLast[j - 1] + 1) }
        current.append(cost)
      }
      beforeLast = last
      last = current
    }
    return last[right.count]
  }
}
