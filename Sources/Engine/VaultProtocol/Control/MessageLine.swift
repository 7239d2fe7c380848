import VaultModel

/// What a file or storage daemon tells the director, of a job or of itself.
package struct MessageLine: Hashable, Sendable {
  /// Bytes of a text at most; a longer one is cut.
  package static let textLimit = 4_096

  package var time: Timestamp
  /// The class as the configuration names it.
  package var messageClass: String
  /// Whether it is about the connection's job; else about the daemon.
  package var isOfJob: Bool
  package var text: String

  package init(time: Timestamp, messageClass: String, isOfJob: Bool, text: String) {
    self.time = time
    self.messageClass = messageClass
    self.isOfJob = isOfJob
    self.text = text
  }

  package var line: ControlLine {
    var line = ControlLine("message")
    line.set("time", time.nanoseconds)
    line.set("class", messageClass)
    line.set("about", isOfJob ? "job" : "daemon")
    line.set("text", String(decoding: text.utf8.prefix(Self.textLimit), as: UTF8.self))
    return line
  }

  package init(_ line: ControlLine) throws(ControlError) {
    guard line.verb == "message" else { throw ControlError(.malformedLine, line: line.verb) }
    time = Timestamp(nanoseconds: try line.integer("time"))
    messageClass = try line.text("class")
    isOfJob = try line.text("about") == "job"
    text = String(decoding: try line.text("text").utf8.prefix(Self.textLimit), as: UTF8.self)
  }
}
