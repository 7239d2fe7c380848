import ArgumentParser
import VaultConfiguration
import VaultModel

/// What a role's command is asked to do.
enum RoleAction: String, EnumerableFlag {
  case testConfig

  static func help(for value: RoleAction) -> ArgumentHelp? {
    "Read the configuration, tell every mistake in it, and end."
  }
}

/// What the commands of all roles have in common.
struct RoleOptions: ParsableArguments {
  @Option(name: .short, help: ArgumentHelp("The configuration file.", valueName: "file"))
  var configuration: PathArgument?

  @Flag var action: RoleAction

  @Flag(help: "Report as one JSON object.")
  var json = false

  func perform(_ role: ConfigurationRole, in context: CommandContext) throws -> ExitStatus {
    let path = try configuration.map(context.absolute) ?? role.defaultPath
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
}

/// `vault dir`
struct DirectorCommand: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dir", abstract: "The director: it starts jobs and keeps the catalog.")

  @OptionGroup var options: RoleOptions

  func perform(in context: CommandContext) async throws -> ExitStatus { try options.perform(.director, in: context) }
}

/// `vault sd`
struct StorageDaemonCommand: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sd", abstract: "The storage daemon: it writes volumes and reads them.")

  @OptionGroup var options: RoleOptions

  func perform(in context: CommandContext) async throws -> ExitStatus {
    try options.perform(.storageDaemon, in: context)
  }
}

/// `vault fd`
struct FileDaemonCommand: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fd", abstract: "The file daemon: it reads and writes a client's files.")

  @OptionGroup var options: RoleOptions

  func perform(in context: CommandContext) async throws -> ExitStatus { try options.perform(.fileDaemon, in: context) }
}

/// `vault console`
struct ConsoleCommand: RunnableCommand {
  static let configuration = CommandConfiguration(commandName: "console", abstract: "The operator's console.")

  @OptionGroup var options: RoleOptions

  func perform(in context: CommandContext) async throws -> ExitStatus { try options.perform(.console, in: context) }
}
