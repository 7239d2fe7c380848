import ArgumentParser
import VaultModel
import VolumeTools

/// `vault volume list`
struct VolumeList: RunnableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Say what volumes hold, by themselves alone.")

  @Argument(help: ArgumentHelp("The volumes, or directories that hold them.", valueName: "volume"))
  var volumes: [PathArgument]

  @Flag(help: "List as one JSON object.")
  var json = false

  func perform(in context: CommandContext) async throws -> ExitStatus {
    let paths = try volumes.map(context.absolute)
    let (found, damage, leftOut) = try await abandonable(name: "vault-scan") {
      try VolumeListCommand.run(volumes: paths)
    }
    for text in leftOut { context.talk.note(text) }
    if json {
      context.output.write(VolumeTable.json(found, damage: damage))
    } else {
      context.output.write(VolumeTable.text(found, zone: context.zone))
      for text in damage { context.talk.note(text) }
    }
    return damage.isEmpty ? .done : .damaged
  }
}
