import VaultModel

/// What the parsing of one configuration shares among its files: mistakes, limits, the world outside.
final class ParseContext {
  let environment: ConfigurationEnvironment
  private(set) var mistakes: [ConfigurationMistake] = []
  private var remainingBytes = ConfigurationLimits.bytes
  private var remainingFiles = ConfigurationLimits.files

  init(environment: ConfigurationEnvironment) { self.environment = environment }

  /// Whether no more mistakes are kept.
  var isFull: Bool { mistakes.count >= ConfigurationLimits.mistakes }

  func report(_ position: SourcePosition, _ text: String) {
    guard !isFull else { return }
    mistakes.append(ConfigurationMistake(position: position, text: text))
  }

  /// All mistakes, file by file in the order the files were met, and in each from top to bottom.
  var sortedMistakes: [ConfigurationMistake] {
    var order: [ByteString: Int] = [:]
    for mistake in mistakes where order[mistake.position.file] == nil { order[mistake.position.file] = order.count }
    func key(_ mistake: ConfigurationMistake) -> (Int, Int, Int) {
      (order[mistake.position.file] ?? 0, mistake.position.line, mistake.position.column)
    }
    return mistakes.sorted { key($0) < key($1) }
  }

  /// How many bytes the next file may have.
  var byteLimit: Int { remainingBytes }

  /// Takes bytes from what the configuration may cost; false when they are too many.
  func takeBytes(_ count: Int) -> Bool {
    guard count <= remainingBytes else { return false }
    remainingBytes -= count
    return true
  }

  /// Takes a file from what the configuration may cost; false when it is one too many.
  func takeFile() -> Bool {
    guard remainingFiles > 0 else { return false }
    remainingFiles -= 1
    return true
  }
}
