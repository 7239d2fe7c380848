import VaultModel
import VaultProtocol

/// A console's request to back up a tree.
struct RunRequest: Sendable {
  /// Paths, and bytes of them and of the tree's name, at most: they are kept in one record of the session's first block.
  static let pathLimit = 65_536
  static let selectionByteLimit = 512 * 1024
  /// Patterns and their bytes at most: they travel in one frame.
  static let patternLimit = 65_536
  static let patternByteLimit = 1024 * 1024

  var tree: Tree
  /// The configuration's name for the job; nil where there is none.
  var jobName: String?
  /// nil: full the first time and incremental after.
  var level: JobLevel?
  var paths: [ByteString]
  /// What is left out, in the file daemon's words; it compiles them.
  var patterns: [ByteString]
  /// How the file daemon compresses what it saves.
  var compression: Compression
  /// Fields handed on to the storage daemon: when commit points are due.
  var storageFields: [ControlLine.Field]
  /// Fields handed on to the file daemon: what else is left out, and what is not.
  var fileFields: [ControlLine.Field]

  init(_ line: ControlLine, paths: [ByteString], patterns: [ByteString] = []) throws {
    let host = try line.text("host")
    tree = Tree(host: host, name: line["name"] ?? Self.defaultName(paths))
    switch try line.text("level") {
    case "auto": level = nil
    case let text:
      guard let level = JobLevel(rawValue: text) else { throw ControlError(.malformedField("level"), line: line.verb) }
      self.level = level
    }
    self.paths = paths
    self.patterns = patterns
    compression = try line.compression()
    storageFields = line.fields.filter { ["commit-seconds", "commit-bytes"].contains($0.key) }
    fileFields = line.fields.filter {
      ["cross-file-systems", "exclude-caches", "exclude-larger-than"].contains($0.key)
    }
    try check()
  }

  init(
    tree: Tree, jobName: String?, level: JobLevel?, paths: [ByteString], patterns: [ByteString],
    compression: Compression, storageFields: [ControlLine.Field], fileFields: [ControlLine.Field]
  ) throws {
    self.tree = tree
    self.jobName = jobName
    self.level = level
    self.paths = paths
    self.patterns = patterns
    self.compression = compression
    self.storageFields = storageFields
    self.fileFields = fileFields
    try check()
  }

  private func check() throws {
    let byteCount = paths.reduce(tree.name.bytes.count) { $0 + $1.bytes.count }
    guard paths.count <= Self.pathLimit, byteCount <= Self.selectionByteLimit else {
      throw DirectorError.selectionTooLong(pathCount: paths.count, byteCount: byteCount)
    }
    let patternByteCount = patterns.reduce(0) { $0 + $1.bytes.count }
    guard patterns.count <= Self.patternLimit, patternByteCount <= Self.patternByteLimit else {
      throw DirectorError.tooManyPatterns(count: patterns.count, byteCount: patternByteCount)
    }
  }

  /// The tree's name when none is given: the sorted absolute paths, a line each.
  private static func defaultName(_ paths: [ByteString]) -> ByteString {
    ByteString(Array(paths.sorted().map(\.bytes).joined(separator: [0x0a])))
  }
}
