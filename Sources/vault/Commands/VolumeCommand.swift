import ArgumentParser

/// `vault volume`
struct VolumeCommand: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "volume", abstract: "Work on volumes with no daemon running.", subcommands: [VolumeScan.self])
}
