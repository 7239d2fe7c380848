import VaultFileSet
import VaultModel
import VaultProtocol

/// Which files the director wants visited.
struct WalkOrder: Sendable {
  var paths: [ByteString]
  var crossesFileSystems: Bool
  /// Whether what has the nodump attribute is left out.
  var honorsNoDump: Bool
  var exclusions: Exclusions

  /// - Throws: `ExclusionPatternError` for a pattern that cannot be meant as it stands.
  init(_ line: ControlLine, paths: [ByteString], patterns: [ByteString]) throws {
    self.paths = paths
    crossesFileSystems = line["cross-file-systems"] == "yes"
    honorsNoDump = line["ignore-nodump"] != "yes"
    exclusions = Exclusions(
      patterns: try patterns.map { pattern throws(ExclusionPatternError) in try ExclusionPattern(pattern) },
      leavesOutCaches: line["exclude-caches"] == "yes",
      largestFile: line["exclude-larger-than"] == nil ? nil : try line.integer("exclude-larger-than"))
  }

  /// The walk over them; `excluded` is left out whatever was ordered.
  func walker(excluding excluded: [FileIdentity]) throws -> TreeWalker {
    var options = TreeWalker.Options()
    options.crossesFileSystems = crossesFileSystems
    options.honorsNoDump = honorsNoDump
    options.excluded = excluded
    options.exclusions = exclusions
    let selection = try PathSelection(paths: paths, workingDirectory: "/").resolvingLinksAbove()
    return TreeWalker(selection: selection, options: options)
  }
}
