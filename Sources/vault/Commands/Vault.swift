import ArgumentParser
import VaultSession

/// `vault`
struct Vault: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "vault", abstract: "Network backup.", version: "vault \(Hello.version)",
    subcommands: [
      LocalCommand.self, InitCommand.self, DirectorCommand.self, StorageDaemonCommand.self, FileDaemonCommand.self,
      ConsoleCommand.self, VolumeCommand.self, CodesCommand.self,
    ])
}
