import VaultCatalog
import VaultModel
import VaultProtocol

/// A job's row as a line for consoles.
enum JobLine {
  static func encode(_ job: JobRecord) -> ControlLine {
    var line = ControlLine("job", words: [ByteString(String(job.description.number))])
    line.set("session", job.description.session.text)
    line.set("host", job.description.tree.host)
    line.set("name", job.description.tree.name)
    line.set("level", job.description.level.rawValue)
    line.set("sequence", job.description.sequence)
    line.set("base", job.description.baseSequence)
    line.set("created", job.description.created.nanoseconds)
    line.set("status", String(job.status.rawValue))
    line.set("attempt", job.attempt)
    line.set("commits", job.lastCommit)
    if let ended = job.ended { line.set("ended", ended.nanoseconds) }
    job.counters.write(to: &line)
    return line
  }
}
