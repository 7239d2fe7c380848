import VaultConfiguration
import VaultModel
import VaultProtocol
import VaultScheduler

/// A director's answers as text and as JSON.
enum ConsoleTables {
  // MARK: Text

  static func text(answer line: ControlLine, to verb: String) -> [UInt8] {
    let text =
      switch verb {
      case "version": "\(shown(line, "name")), vault \(shown(line, "version"))"
      case "cancel job": "Job \(shown(line, "job")) is told to stop."
      default: "Done."
      }
    return Array((text + "\n").utf8)
  }

  static func text(_ lines: [ControlLine], of verb: String, zone: LocalTimeZone) -> String {
    switch verb {
    case "list runs": jobs(lines, zone)
    case "messages", "list log": lines.map { message($0, zone) }.joined()
    default: lines.map { status($0, zone) }.joined()
    }
  }

  private static func jobs(_ lines: [ControlLine], _ zone: LocalTimeZone) -> String {
    guard !lines.isEmpty else { return "No jobs.\n" }
    var table = TextTable([
      .right("Job"), .left("Type"), .left("Name"), .left("Client"), .left("FileSet"), .left("Level"), .left("Status"),
      .left("Created"), .left("Ended"), .right("Files"), .right("Bytes"), .right("Problems"),
    ])
    for line in lines {
      table.add([
        line.words.first?.displayText ?? "", shown(line, "type"), shown(line, "name"), shown(line, "client"),
        shown(line, "fileset"), shown(line, "level"), status(line), time(line, "created", zone),
        time(line, "ended", zone), Figures.count(number(line, "files")), Figures.bytes(number(line, "bytes")),
        Figures.count(number(line, "problems")),
      ])
    }
    return table.text
  }

  private static func status(_ line: ControlLine) -> String {
    let letter = shown(line, "status")
    return "\(letter) \(letter.first.flatMap { JobStatus(rawValue: $0) }?.title ?? "waiting")"
  }

  private static func message(_ line: ControlLine, _ zone: LocalTimeZone) -> String {
    let job = line["job"].map { "JobId \($0.displayText): " } ?? ""
    return "\(time(line, "time", zone)) \(job)\(shown(line, "text"))\n"
  }

  /// One line of a status: what it is about, and its fields.
  private static func status(_ line: ControlLine, _ zone: LocalTimeZone) -> String {
    let isJob = ["running", "waiting"].contains(line.verb)
    var text = isJob ? "  \(line.verb)" : line.verb
    for field in line.fields {
      let value = ["started"].contains(field.key) ? time(line, field.key, zone) : field.value.displayText
      text += "  \(field.key)=\(value)"
    }
    return printable(text) + "\n"
  }

  private static func shown(_ line: ControlLine, _ key: String) -> String { line[key]?.displayText ?? "" }

  private static func number(_ line: ControlLine, _ key: String) -> UInt64 {
    line[key]?.text.flatMap { UInt64($0) } ?? 0
  }

  private static func time(_ line: ControlLine, _ key: String, _ zone: LocalTimeZone) -> String {
    guard let nanoseconds = line[key]?.text.flatMap({ Int64($0) }) else { return "-" }
    return zone.text(Timestamp(nanoseconds: nanoseconds))
  }

  // MARK: JSON

  /// What is a time in an answer.
  private static let timeKeys: Set<String> = ["time", "created", "ended", "started"]
  /// What is text even where it has digits only.
  private static let textKeys: Set<String> = [
    "name", "client", "storage", "fileset", "text", "path", "version", "features", "pool",
  ]

  static func json(_ lines: [ControlLine]) -> [UInt8] {
    var writer = JSONWriter()
    writer.array { writer in
      for line in lines {
        writer.beginLine()
        writer.object { $0.answer(line, kind: line.verb) }
      }
      writer.endLine()
    }
    writer.endLine()
    return writer.takeBytes()
  }

  static func json(_ line: ControlLine, kind: String) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { $0.answer(line, kind: kind) }
    writer.endLine()
    return writer.takeBytes()
  }

  fileprivate static func write(_ field: ControlLine.Field, to writer: inout JSONWriter) {
    let text = field.value.text ?? field.value.displayText
    if timeKeys.contains(field.key), let nanoseconds = Int64(text) {
      writer.field(field.key, RFC3339.render(Timestamp(nanoseconds: nanoseconds)))
    } else if !textKeys.contains(field.key), let number = UInt64(text), String(number) == text {
      writer.field(field.key, number)
    } else {
      writer.field(field.key, text)
    }
  }
}

extension JSONWriter {
  fileprivate mutating func answer(_ line: ControlLine, kind: String) {
    field("kind", kind)
    if let word = line.words.first?.text, let number = UInt64(word) { field("job", number) }
    var written: Set<String> = ["kind"]
    if !line.words.isEmpty { written.insert("job") }
    for field in line.fields where written.insert(field.key).inserted { ConsoleTables.write(field, to: &self) }
  }
}
