import ArgumentParser

/// `vault local`
struct LocalCommand: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "local", abstract: "Back up to a repository on a disk, without daemons.",
    subcommands: [
      LocalBackup.self, LocalJobs.self, LocalList.self, LocalFind.self, LocalDiff.self, LocalRestore.self,
      LocalVerify.self, LocalDrop.self,
    ])
}
