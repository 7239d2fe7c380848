import ArgumentParser
import VaultModel

/// A command that does something, unlike one that only groups others.
protocol RunnableCommand: ParsableCommand {
  /// Does it and gives the exit status; throws `DescribedError`s.
  func perform(in context: CommandContext) async throws -> ExitStatus
}
