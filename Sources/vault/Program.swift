import ArgumentParser
import Glibc
import VaultModel
import VaultSystem

/// The executable: arguments to a command, a command's end to an exit status.
///
/// One file per subcommand lies in `Commands`; a command builds a request, calls a role and renders its report. What
/// it needs of the world comes in a `CommandContext`, so that every command runs in a test with a repository of the
/// test's own.
@main package enum Program {
  static func main() {
    Heap.limit()
    // A reader of our output that leaves is noticed by the write that fails.
    signal(SIGPIPE, SIG_IGN)
    // A file that grows beyond the limit on its length is the write's error, and closes a volume in order.
    signal(SIGXFSZ, SIG_IGN)
    let context = CommandContext.system()
    let arguments = CommandLine.unsafeArgv
    let bytes = (1..<max(1, Int(CommandLine.argc))).compactMap { index in
      arguments[index].map { ByteString(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }
    Interruption.run { await run(bytes, in: context) }
  }

  /// Runs one command line, without the program's name, to its exit status.
  package static func run(_ arguments: [ByteString], in context: CommandContext) async -> ExitStatus {
    let status = await perform(arguments, in: context)
    do {
      try context.output.finish()
      return status
    } catch {
      context.talk.error(error.description)
      return status.combined(with: error.exitStatus)
    }
  }

  private static func perform(_ arguments: [ByteString], in context: CommandContext) async -> ExitStatus {
    let runnable: any RunnableCommand
    do {
      switch try Vault.parseAsRoot(arguments.map(ArgumentBytes.text)) {
      case let command as any RunnableCommand: runnable = command
      case let group as any CommandGroup:
        context.talk.error("A subcommand is missing.")
        context.talk.plain(Vault.helpMessage(for: type(of: group)))
        return .usage
      case var builtIn:
        // The parser's own help command; it throws the help.
        try builtIn.run()
        return .done
      }
    } catch {
      return tell(error, in: context)
    }
    do {
      return try await runnable.perform(in: context)
    } catch {
      // Who reads our output has seen enough and left: that ended the command, and is no mistake.
      if context.output.isClosed { return .done }
      return tell(failure: error, in: context)
    }
  }

  /// Help and version go to standard output with status 0; anything else is wrong usage.
  private static func tell(_ error: any Error, in context: CommandContext) -> ExitStatus {
    if Vault.exitCode(for: error) == .success {
      context.output.write(Vault.message(for: error) + "\n")
      return .done
    }
    let label = "Error: "
    let message = Vault.fullMessage(for: error)
    context.talk.plain(message.hasPrefix(label) ? "vault: " + message.dropFirst(label.count) : message)
    return .usage
  }

  private static func tell(failure error: any Error, in context: CommandContext) -> ExitStatus {
    switch error {
    case let error as any DescribedError:
      // Whatever broke because the command was told to stop, that it was is what counts.
      let isInterrupted = Task.isCancelled && error.exitStatus != .interrupted
      context.talk.error((isInterrupted ? "Interrupted: " : "") + error.description)
      return isInterrupted ? .interrupted : error.exitStatus
    case is CancellationError:
      context.talk.error("Interrupted.")
      return .interrupted
    default:
      context.talk.error("\(error)")
      return .jobFailed
    }
  }
}
