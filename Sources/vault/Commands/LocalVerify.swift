import ArgumentParser
import Console
import VaultModel

/// `vault local verify`
struct LocalVerify: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check that what was saved can be restored.",
    discussion: """
      Compares the catalog with the volumes. With --read-data every byte is read, and every file compared with its \
      SHA-256. Nothing is changed; damage ends with status 7.
      """)

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"))
  var from: PathArgument

  @Flag(help: "Read every block and every file, and compare all digests.")
  var readData = false

  @Flag(help: "Report as one JSON object.")
  var json = false

  @Flag(help: "Tell only what is wrong.")
  var quiet = false

  func perform(in context: CommandContext) async throws -> ExitStatus {
    try await context.withRepository(from, .existing, command: "vault local verify") {
      [json, quiet, readData] repository in
      let start = context.clock.monotonicNanoseconds()
      let report = try await ProgressLine.during(context, isQuiet: quiet) { progress in
        try await repository.verify(readingData: readData) { progress.show($0) }
      }
      let milliseconds = context.milliseconds(since: start)
      context.tell(report, readingData: readData, milliseconds: milliseconds, json: json, quiet: quiet)
      return report.foundDamage ? .damaged : .done
    }
  }
}

extension CommandContext {
  /// Findings are data and go to standard output; notes are talk.
  func tell(_ report: VerifyReport, readingData: Bool, milliseconds: UInt64, json: Bool, quiet: Bool) {
    if json { return output.write(report.json(milliseconds: milliseconds)) }
    for damage in report.damages { output.write(damage.text) }
    if quiet { return }
    output.write(report.sentence(readingData: readingData, milliseconds: milliseconds) + "\n")
    for note in report.notes { talk.note(note) }
  }
}
