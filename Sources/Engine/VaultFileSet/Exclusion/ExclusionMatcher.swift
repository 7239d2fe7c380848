import VaultModel

/// Decides for each name of a walk whether the patterns leave it out. The last pattern that matches has its say.
///
/// It follows the walk from directory to directory. Patterns with slashes are matched name by name on the way down: a
/// directory knows which of them its path has begun, and how far. So a name costs one look at a table, and a comparison for
/// each pattern that is no plain name and still can match here.
/// - Bounds: memory grows with the depth of the walk times the names of patterns with slashes.
struct ExclusionMatcher: ~Copyable {
  /// A pattern of which the names before `component` were met.
  private struct State {
    let pattern: Int32
    let component: Int32
  }

  private struct Level {
    /// Of the directory's key.
    let keyLength: Int
    /// Where its states begin; they end where the next level's begin.
    let start: Int
  }

  let patterns: [ExclusionPattern]
  private let selection: PathSelection
  private var names = NameTable()
  /// The patterns for one name that are no plain name, and those with slashes.
  private var globs: [Int32] = []
  private var paths: [Int32] = []

  /// The key of the directory entered last.
  private var key = ByteArena(capacity: 4096)
  private var levels: [Level] = []
  /// The states of all levels, sorted by pattern within each.
  private var states: [State] = []
  /// The states of the directory entered last that its names can complete, and the patterns' globs for them.
  private var finals: [State] = []
  /// Which components of one pattern were reached, while they are collected.
  private var reached: [Bool]

  init(patterns: [ExclusionPattern], selection: PathSelection) {
    self.patterns = patterns
    self.selection = selection
    var longest = 0
    for (index, pattern) in patterns.enumerated() {
      switch pattern.body {
      case .path(let components):
        paths.append(Int32(index))
        longest = max(longest, components.count)
      case .name(let glob):
        if let literal = glob.literal {
          names.insert(literal, pattern: Int32(index), isDirectoryOnly: pattern.isDirectoryOnly)
        } else {
          globs.append(Int32(index))
        }
      }
    }
    reached = Array(repeating: false, count: longest)
  }

  var isEmpty: Bool { patterns.isEmpty }

  // MARK: Directories

  /// Names that follow are those of the directory `newKey`; a directory comes before what lies below it.
  mutating func enter(_ newKey: UnsafeRawBufferPointer) {
    if paths.isEmpty { return }
    while let level = levels.last, !isAncestor(level.keyLength, of: newKey) {
      states.removeSubrange(level.start...)
      levels.removeLast()
    }
    key.truncate(to: 0)
    key.append(newKey)
    if levels.isEmpty { addLevel(keyLength: 0, name: nil) }
    while let last = levels.last, last.keyLength < key.count {
      let start = last.keyLength + 1
      let rest = key.bytes(start..<key.count)
      let end = start + (rest.firstIndex(of: 0) ?? rest.count)
      addLevel(keyLength: end, name: start..<end)
    }
    finals.removeAll(keepingCapacity: true)
    if let last = levels.last {
      for state in states[last.start...] where Int(state.component) == components(of: state.pattern).count - 1 {
        finals.append(state)
      }
    }
  }

  private func isAncestor(_ length: Int, of newKey: UnsafeRawBufferPointer) -> Bool {
    guard newKey.count >= length, newKey.count == length || newKey[length] == 0 else { return false }
    return orderOfBytes(key.bytes(0..<length), UnsafeRawBufferPointer(rebasing: newKey[..<length])) == 0
  }

  /// Adds the directory with that much of the key: what its parent's states become by its name, and the beginning of every
  /// pattern where the directory was selected.
  private mutating func addLevel(keyLength: Int, name: Range<Int>?) {
    let parent = levels.last.map { $0.start..<states.count } ?? 0..<0
    let start = states.count
    levels.append(Level(keyLength: keyLength, start: start))
    let isSelected = selection.contains(DirectoryKey(keyBytes: Array(key.bytes(0..<keyLength))))
    if isSelected {
      var cursor = parent.lowerBound
      for pattern in paths {
        reach(pattern, 0)
        advance(pattern, by: name, &cursor, parent.upperBound)
        collect(pattern)
      }
    } else {
      var cursor = parent.lowerBound
      while cursor < parent.upperBound {
        let pattern = states[cursor].pattern
        advance(pattern, by: name, &cursor, parent.upperBound)
        collect(pattern)
      }
    }
  }

  /// Marks what the states of one pattern, from `cursor` on, become by a name.
  private mutating func advance(_ pattern: Int32, by name: Range<Int>?, _ cursor: inout Int, _ end: Int) {
    while cursor < end, states[cursor].pattern == pattern {
      let index = Int(states[cursor].component)
      cursor += 1
      guard let name else { continue }
      let components = components(of: pattern)
      switch components[index] {
      case .anyNames: reach(pattern, index)
      case .name(let glob):
        if index + 1 < components.count, glob.matches(key.bytes(name)) { reach(pattern, index + 1) }
      }
    }
  }

  /// Marks a component, and the one behind it when the component may stand for no name at all.
  private mutating func reach(_ pattern: Int32, _ component: Int) {
    let components = components(of: pattern)
    var component = component
    while true {
      reached[component] = true
      guard components[component] == .anyNames, component + 1 < components.count else { return }
      component += 1
    }
  }

  private mutating func collect(_ pattern: Int32) {
    for component in 0..<components(of: pattern).count where reached[component] {
      reached[component] = false
      states.append(State(pattern: pattern, component: Int32(component)))
    }
  }

  private func components(of pattern: Int32) -> [ExclusionPattern.Component] {
    if case .path(let components) = patterns[Int(pattern)].body { components } else { [] }
  }

  // MARK: Names

  /// Whether the patterns leave out a name of the directory entered last.
  @inline(__always)
  func leavesOut(_ name: UnsafeRawBufferPointer, isDirectory: Bool) -> Bool {
    if patterns.isEmpty { return false }
    var best: Int32 = -1
    if let known = names.value(of: name) { best = isDirectory ? max(known.anything, known.directory) : known.anything }
    for index in globs.reversed() {
      if index <= best { break }
      let pattern = patterns[Int(index)]
      if pattern.isDirectoryOnly, !isDirectory { continue }
      if case .name(let glob) = pattern.body, glob.matches(name) { best = index }
    }
    for state in finals.reversed() {
      if state.pattern <= best { break }
      let pattern = patterns[Int(state.pattern)]
      if pattern.isDirectoryOnly, !isDirectory { continue }
      guard case .path(let components) = pattern.body else { continue }
      switch components[Int(state.component)] {
      case .anyNames: best = state.pattern
      case .name(let glob): if glob.matches(name) { best = state.pattern }
      }
    }
    return best >= 0 && !patterns[Int(best)].isNegated
  }
}
