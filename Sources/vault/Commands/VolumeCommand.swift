import ArgumentParser

/// `vault volume`
struct VolumeCommand: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "volume", abstract: "Work on volumes with no daemon running.",
    subcommands: [VolumeList.self, VolumeVerify.self, VolumeExtract.self, VolumeScan.self])
}
