/// What a walk leaves out below the selected paths; a selected path itself is always visited.
package struct Exclusions: Sendable {
  /// Later patterns count for more; see `ExclusionMatcher`.
  package var patterns: [ExclusionPattern]
  /// Leaves out what lies beside a `CACHEDIR.TAG`.
  package var leavesOutCaches: Bool
  /// Leaves out regular files with more bytes.
  package var largestFile: UInt64?

  package init(
    patterns: [ExclusionPattern] = [], leavesOutCaches: Bool = false, largestFile: UInt64? = nil
  ) {
    self.patterns = patterns
    self.leavesOutCaches = leavesOutCaches
    self.largestFile = largestFile
  }
}
