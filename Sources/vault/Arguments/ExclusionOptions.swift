import ArgumentParser
import Console
import VaultFileSet
import VaultModel
import VaultSystem

/// What a backup leaves out: `--exclude` and its like.
struct ExclusionOptions: ParsableArguments {
  /// Bytes of one file of patterns at most.
  private static let fileByteLimit = 1 << 20

  @Option(
    help: ArgumentHelp(
      "Leave out what matches: a name at any depth, or, with a slash in front or inside, a path below what is saved.",
      valueName: "glob"))
  var exclude: [PathArgument] = []

  @Option(
    help: ArgumentHelp("Leave out by the patterns of a file, a line each; - is standard input.", valueName: "file"),
    completion: .file())
  var excludeFrom: [PathArgument] = []

  @Flag(help: "Leave out what is in directories that a CACHEDIR.TAG marks as caches.")
  var excludeCaches = false

  @Option(
    help: ArgumentHelp("Leave out regular files that are larger, such as 100M.", valueName: "size"),
    transform: OptionText.byteCount)
  var excludeLargerThan: UInt64?

  @Flag(help: "Save what is mounted below the paths, too.")
  var crossFileSystems = false

  func validate() throws {
    if excludeFrom.filter(\.isStandardInput).count > 1 {
      throw ValidationError("--exclude-from - can be given once only.")
    }
  }

  /// Reads the files and checks every pattern, so that a mistake is told before anything is opened.
  ///
  /// What the command line itself says comes last: it has the last word.
  func request(in context: CommandContext) async throws -> ExclusionRequest {
    var request = ExclusionRequest()
    for file in excludeFrom { request.patterns += try await Self.patterns(of: file, in: context) }
    for argument in exclude {
      try Self.check(argument.bytes, place: "--exclude")
      request.patterns.append(argument.bytes)
    }
    request.leavesOutCaches = excludeCaches
    request.largestFile = excludeLargerThan
    request.crossesFileSystems = crossFileSystems
    return request
  }

  private static func patterns(of file: PathArgument, in context: CommandContext) async throws -> [ByteString] {
    let path = try context.absolute(file)
    let isStandardInput = file.isStandardInput
    let bytes: [UInt8]
    do {
      // Whoever writes a pipe may take any time.
      bytes = try await abandonable(name: "vault-exclude") {
        try isStandardInput
          ? StandardInput.read(limit: fileByteLimit) : DurableFiles.read(path, limit: fileByteLimit)
      }
    } catch let error as SystemError {
      throw CommandError.exclusionFile(file.bytes, error)
    }
    let name = isStandardInput ? "standard input" : file.bytes.displayText
    return try ExclusionFile.lines(of: bytes).map { line in
      try check(line.pattern, place: "\(name):\(line.number)")
      return line.pattern
    }
  }

  private static func check(_ pattern: ByteString, place: String) throws(ExclusionPatternError) {
    do throws(ExclusionPatternError) { _ = try ExclusionPattern(pattern) } catch {
      var error = error
      error.place = place
      throw error
    }
  }
}

extension PathArgument {
  fileprivate var isStandardInput: Bool { bytes == "-" }
}
