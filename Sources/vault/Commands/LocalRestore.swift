import ArgumentParser
import Console
import VaultModel

extension OverwriteChoice: ExpressibleByArgument {}

/// `vault local restore`
struct LocalRestore: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Bring files back.",
    discussion: """
      Everything lands below the target under its full original path: /etc/hosts in TARGET/etc/hosts. With --to / that \
      is where it came from; --to - writes one file to standard output.
      """)

  @Argument(
    help: ArgumentHelp(
      "What to bring back, paths or patterns of them, with everything below; all of it when none is given.",
      valueName: "path"))
  var paths: [PathArgument] = []

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"), completion: .directory)
  var from: PathArgument

  @Option(
    help: ArgumentHelp("The directory below which everything lands, or - for standard output.", valueName: "dir"),
    completion: .directory)
  var to: PathArgument

  @OptionGroup var tree: TreeOptions

  @Option(help: "What happens to what exists there already.")
  var overwrite = OverwriteChoice.never

  @Option(help: ArgumentHelp("Remove so many leading components from every path.", valueName: "count"))
  var stripComponents: UInt16 = 0

  @Flag(help: "Write nothing; tell what would be restored and what is in its way.")
  var dryRun = false

  @Flag(help: "Restore owners and groups by number, even where their names are known.")
  var numericIds = false

  @OptionGroup var reporting: ReportOptions

  /// Whether the one file goes to standard output.
  private var isStream: Bool { to.bytes == "-" }

  func validate() throws {
    guard isStream else { return }
    if reporting.json || reporting.jsonProgress || dryRun || stripComponents > 0 {
      throw ValidationError("--to - excludes --json, --json-progress, --dry-run and --strip-components.")
    }
    if paths.count != 1 { throw ValidationError("--to - takes exactly one path, of a regular file.") }
  }

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let target = try context.absolute(to)
    let request = RestoreRequest(
      paths: try paths.map(context.choice), treeName: tree.name?.bytes, at: try tree.pointInTime(in: context),
      destination: isStream ? .stream : dryRun ? .trial(target) : .directory(target), overwrite: overwrite,
      strippedComponents: stripComponents, usesNumericOwners: numericIds)
    return try await context.withRepository(from, .existing, command: "vault local restore") {
      [reporting, dryRun] repository in
      guard case .stream = request.destination else {
        return try await reporting.run(in: context) { progress in
          RestoreOutcome(
            report: try await repository.restore(request, output: { _ in }) { progress.show($0) }, target: target,
            isTrial: dryRun)
        }
      }
      let outcome = try await ProgressLine.during(context, isQuiet: reporting.quiet) { progress in
        try await Self.stream(request, repository, context.output, progress)
      }
      guard let report = outcome else { return .doneWithProblems }
      let end = RestoreOutcome(report: report, target: target, isTrial: false)
      for line in end.problemLines { context.talk.note(line) }
      return end.exitStatus
    }
  }

  /// Writes one file to standard output.
  ///
  /// - Returns: nil when the reader has left before the end: not all was restored, and nobody wants to know.
  private static func stream(
    _ request: RestoreRequest, _ repository: any RepositoryCommands, _ output: StandardOutput,
    _ progress: ProgressLine
  ) async throws -> RestoreReport? {
    do {
      return try await repository.restore(request) { bytes in
        // Whoever reads may be slow, and the command can be interrupted all the same.
        try await abandonable(name: "vault-output") { try output.pass(bytes) }
      } progress: {
        progress.show($0)
      }
    } catch {
      if output.isClosed { return nil }
      throw error
    }
  }
}
