import ArgumentParser
import Director
import FileDaemon
import StorageDaemon
import VaultConfiguration
import VaultModel
import VaultSystem

/// What the commands of all roles have in common.
struct RoleOptions: ParsableArguments {
  @Option(name: .short, help: ArgumentHelp("The configuration file.", valueName: "file"))
  var configuration: PathArgument?

  @Flag(help: "Read the configuration, tell every mistake in it, and end.")
  var testConfig = false

  @Flag(help: "With --test-config: report as one JSON object.")
  var json = false

  func path(of role: ConfigurationRole, in context: CommandContext) throws -> ByteString {
    try configuration.map(context.absolute) ?? role.defaultPath
  }

  /// Checks the configuration as `--test-config` asks for.
  func test(_ role: ConfigurationRole, in context: CommandContext) throws -> ExitStatus {
    let path = try path(of: role, in: context)
    do throws(ConfigurationError) {
      let resources = try ResourceTable(file: path, schema: role.schema).counts(by: role.schema)
      if json {
        context.output.write(ConfigurationReport.json(path, mistakes: [], resources: resources))
      } else {
        context.output.write(ConfigurationReport.text(path, role, resources: resources))
      }
      return .done
    } catch {
      guard case .mistakes(let mistakes) = error.kind else { throw error }
      if json {
        context.output.write(ConfigurationReport.json(path, mistakes: mistakes, resources: []))
      } else {
        // Each line begins with its place, as editors expect it.
        context.talk.plain(error.description)
      }
      return error.exitStatus
    }
  }

  /// Reads the configuration; its mistakes are told as `--test-config` tells them.
  ///
  /// - Returns: nil when there are mistakes.
  func read<Configuration: DaemonConfiguration>(
    _ role: ConfigurationRole, as: Configuration.Type, in context: CommandContext
  ) throws -> Configuration? {
    let path = try path(of: role, in: context)
    do throws(ConfigurationError) {
      return try Configuration(file: path)
    } catch {
      guard case .mistakes = error.kind else { throw error }
      context.talk.plain(error.description)
      return nil
    }
  }

  /// Runs a daemon until it is told to end, which is no failure.
  func serve<Configuration: DaemonConfiguration>(
    _ role: ConfigurationRole, as: Configuration.Type, in context: CommandContext,
    _ run: (Configuration) async throws -> Void
  ) async throws -> ExitStatus {
    if testConfig { return try test(role, in: context) }
    guard let configuration = try read(role, as: Configuration.self, in: context) else { return .usage }
    try await run(configuration)
    return .done
  }
}

/// What the commands of the daemons have in common.
struct DaemonOptions: ParsableArguments {
  @OptionGroup var role: RoleOptions

  @Flag(help: "Write messages to standard error, too.")
  var foreground = false
}

/// `vault dir`
struct DirectorCommand: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dir", abstract: "The director: it starts jobs and keeps the catalog.",
    discussion: "It runs until it is told to end, by SIGTERM or SIGINT; running jobs go on when it is back.")

  @OptionGroup var options: DaemonOptions

  @Flag(help: "Make the catalog's role and database on its PostgreSQL server, as a superuser, and end.")
  var initCatalog = false

  @Option(help: ArgumentHelp("With --init-catalog: the superuser (default: postgres).", valueName: "role"))
  var superuser: String?

  func validate() throws {
    if superuser != nil, !initCatalog { throw ValidationError("--superuser goes with --init-catalog only.") }
  }

  /// Makes role and database. The superuser's password, if it needs one, stands in PGPASSWORD.
  private func initializeCatalog(in context: CommandContext) async throws -> ExitStatus {
    let role = options.role
    guard let configuration = try role.read(.director, as: DirectorConfiguration.self, in: context) else {
      return .usage
    }
    let (superuser, password) = (superuser ?? "postgres", CurrentProcess.environment("PGPASSWORD"))
    try await abandonable(name: "vault-catalog") {
      try CatalogOpening.initialize(configuration, superuser: superuser, password: password)
    }
    context.output.write("The role and the database of the catalog are there.\n")
    return .done
  }

  func perform(in context: CommandContext) async throws -> ExitStatus {
    if initCatalog { return try await initializeCatalog(in: context) }
    return try await options.role.serve(.director, as: DirectorConfiguration.self, in: context) { configuration in
      try await DirectorService.run(
        configuration, clock: context.clock, zone: context.zone, echoes: options.foreground,
        isReady: ServiceManager.tellReady)
    }
  }
}

/// `vault sd`
struct StorageDaemonCommand: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sd", abstract: "The storage daemon: it writes volumes and reads them.",
    discussion: "It runs until it is told to end, by SIGTERM or SIGINT.")

  @OptionGroup var options: DaemonOptions

  func perform(in context: CommandContext) async throws -> ExitStatus {
    try await options.role.serve(.storageDaemon, as: StorageDaemonConfiguration.self, in: context) { configuration in
      try await StorageDaemonService.run(
        configuration, clock: context.clock, echoes: options.foreground, isReady: ServiceManager.tellReady)
    }
  }
}

/// `vault fd`
struct FileDaemonCommand: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fd", abstract: "The file daemon: it reads and writes a client's files.",
    discussion: "It runs until it is told to end, by SIGTERM or SIGINT.")

  @OptionGroup var options: DaemonOptions

  func perform(in context: CommandContext) async throws -> ExitStatus {
    try await options.role.serve(.fileDaemon, as: FileDaemonConfiguration.self, in: context) { configuration in
      try await FileDaemonService.run(
        configuration, clock: context.clock, echoes: options.foreground, isReady: ServiceManager.tellReady)
    }
  }
}
