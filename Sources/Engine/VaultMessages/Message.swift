import VaultConfiguration
import VaultModel

/// Something that a daemon tells people.
package struct Message: Hashable, Sendable {
  package var time: Timestamp
  package var messageClass: MessageClass
  /// The job that it is about; nil for the daemon itself.
  package var job: JobNumber?
  package var text: String

  package init(time: Timestamp, _ messageClass: MessageClass, job: JobNumber? = nil, _ text: String) {
    self.time = time
    self.messageClass = messageClass
    self.job = job
    self.text = text
  }

  /// The message as a line of a log: time, daemon, job and text, control characters escaped.
  package func line(of daemon: String) -> String {
    let about = job.map { "JobId \($0): " } ?? ""
    return "\(RFC3339.render(time, fractionDigits: 0)) \(daemon) \(about)\(ByteString(text).displayText)\n"
  }
}
