import ArgumentParser
import Director
import VaultConfiguration
import VaultModel
import VolumeTools

/// `vault volume scan`
struct VolumeScan: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scan", abstract: "Rebuild a catalog from volumes alone: a repository's, or a director's.",
    discussion: """
      With -c the catalog is the one that dir.conf names, in SQLite or on a PostgreSQL server; the director must not run.
      """)

  @Argument(help: ArgumentHelp("The volumes, or directories that hold them.", valueName: "volume"))
  var volumes: [PathArgument]

  @Option(help: ArgumentHelp("The repository's directory.", valueName: "repo"), completion: .directory)
  var to: PathArgument?

  @Option(name: .customShort("c"), help: ArgumentHelp("The director's configuration.", valueName: "file"))
  var configuration: PathArgument?

  @Option(help: ArgumentHelp("With -c: the Storage that has the volumes, if dir.conf has several.", valueName: "name"))
  var storage: String?

  @Flag(help: "Report as one JSON object.")
  var json = false

  @Flag(help: "Tell only what went wrong.")
  var quiet = false

  func validate() throws {
    if (to == nil) == (configuration == nil) {
      throw ValidationError("Either --to REPO or -c FILE says whose catalog it is.")
    }
    if storage != nil, configuration == nil { throw ValidationError("--storage goes with -c only.") }
  }

  private func scan(in context: CommandContext) async throws -> VolumeScanReport? {
    let volumes = try volumes.map(context.absolute)
    if let to { return try await context.scanVolumes(volumes, try context.absolute(to)) }
    var options = RoleOptions()
    options.configuration = configuration
    guard let director = try options.read(.director, as: DirectorConfiguration.self, in: context) else { return nil }
    let place = try CatalogOpening.placing(director, storage: storage)
    return try await abandonable(name: "vault-scan") {
      try VolumeScanCommand.run(
        volumes: volumes, openCatalog: { try CatalogOpening.open(director, repository: $0) }, place: place)
    }
  }

  func perform(in context: CommandContext) async throws -> ExitStatus {
    guard let report = try await scan(in: context) else { return .usage }
    if json {
      context.output.write(ScanTable.json(report))
    } else {
      if !quiet { context.output.write(ScanTable.text(report)) }
      for note in report.notes { context.talk.note(note) }
    }
    return report.foundDamage ? .damaged : .done
  }
}
