import Console
import VaultModel

/// A job's progress in one line of a terminal.
package enum ProgressText {
  /// A path of fewer characters says nothing.
  private static let shortestPath = 12
  private static let ellipsis: Unicode.Scalar = "…"

  /// The line, in `width` columns at most; what matters least is left out first.
  package static func line(
    _ progress: JobProgress, _ estimate: ProgressEstimate, milliseconds: UInt64, width: Int
  ) -> String {
    var parts = [state(estimate, milliseconds)]
    let bytes = progress.bytesDone > 0 ? Figures.bytes(progress.bytesDone) : nil
    let rate = estimate.bytesPerSecond >= 1 ? Figures.bytes(UInt64(min(estimate.bytesPerSecond, 1e18))) + "/s" : nil
    let problems = progress.problems > 0 ? Figures.count(progress.problems, "problem", "problems") : nil
    let remaining = estimate.remainingSeconds.map { Figures.remaining(seconds: $0) + " left" }
    let candidates = [Figures.count(progress.entriesSeen, "entry", "entries"), bytes, rate, problems, remaining]
    var used = parts[0].unicodeScalars.count
    var chosen: [Int: String] = [:]
    // What is chosen first is left out last.
    for place in [3, 0, 1, 4, 2] {
      guard let text = candidates[place], used + text.unicodeScalars.count + 2 <= width else { continue }
      used += text.unicodeScalars.count + 2
      chosen[place] = text
    }
    parts += candidates.indices.compactMap { chosen[$0] }
    var line = parts.joined(separator: ", ")
    let room = width - used - 2
    if !progress.path.isEmpty, room >= shortestPath {
      line += "  " + shortened(progress.path.displayText, to: room)
    }
    return cut(line, to: width)
  }

  /// The text, without its middle when it is too long: where a path begins and how it ends tell it apart.
  package static func shortened(_ text: String, to width: Int) -> String {
    let scalars = Array(text.unicodeScalars)
    guard scalars.count > width else { return text }
    guard width > 1 else { return cut(text, to: width) }
    let head = (width - 1) / 3
    var shown = String.UnicodeScalarView()
    shown.append(contentsOf: scalars.prefix(head))
    shown.append(ellipsis)
    shown.append(contentsOf: scalars.suffix(width - 1 - head))
    return String(shown)
  }

  private static func state(_ estimate: ProgressEstimate, _ milliseconds: UInt64) -> String {
    // Never all of it: the end is told by the report.
    if let fraction = estimate.fraction { return "\(min(99, Int(fraction * 100))) %" }
    return Figures.duration(milliseconds: milliseconds / 1_000 * 1_000)
  }

  private static func cut(_ text: String, to width: Int) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.prefix(max(0, width))))
  }
}
