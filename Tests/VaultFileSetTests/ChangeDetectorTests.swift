import Testing
import VaultFileSet
import VaultModel

/// Small random numbers, the same for the same seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }
}

/// A tree that is only thought of, with everything that can keep a walk from seeing it.
struct ImaginedTree {
  enum Sight { case whole, incomplete, notEntered }

  struct Node {
    var attributes: FileAttributes
    /// For directories: what the walk sees of it.
    var sight = Sight.whole
    /// The walk cannot examine it.
    var isUnexaminable = false
    /// An incomplete listing did not get to it.
    var isUnlisted = false
  }

  var nodes: [CanonicalPosition: Node] = [:]
  var rootSight = Sight.whole

  private static let names: [ByteString] = ["a", "a-c", "a.b", "b", "\u{1}", ByteString([0xff]), "ab", "a\u{1}"]

  /// Adds random entries below a directory.
  mutating func grow(_ directory: DirectoryKey, depth: Int, _ generator: inout SeededGenerator) {
    for name in Self.names where Int.random(in: 0..<3, using: &generator) == 0 {
      let isDirectory = depth > 0 && Bool.random(using: &generator)
      let attributes = FileAttributes(
        type: isDirectory ? .directory : .regular, mode: 0o644, inode: UInt64.random(in: 0..<3, using: &generator))
      nodes[CanonicalPosition(directory: directory, name: name)] = Node(attributes: attributes)
      if isDirectory { grow(directory.appending(name), depth: depth - 1, &generator) }
    }
  }

  /// Removes, replaces and adds at random, and lets parts escape the walk.
  func changed(_ generator: inout SeededGenerator) -> ImaginedTree {
    var tree = self
    for position in nodes.keys.sorted() {
      let below = position.directory.appending(position.name)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: tree.remove(position)
      case 1 where tree.nodes[position] != nil:
        tree.remove(position)
        tree.nodes[position] = Node(attributes: FileAttributes(type: .symbolicLink, mode: 0o777))
      case 2 where tree.nodes[position]?.attributes.type == .directory: tree.grow(below, depth: 1, &generator)
      case 3: tree.nodes[position]?.sight = .incomplete
      case 4: tree.nodes[position]?.sight = .notEntered
      case 5: tree.nodes[position]?.isUnexaminable = Int.random(in: 0..<3, using: &generator) == 0
      default: break
      }
    }
    if Int.random(in: 0..<6, using: &generator) == 0 { tree.rootSight = .incomplete }
    for position in tree.nodes.keys.sorted() where tree.sight(of: position.directory) == .incomplete {
      tree.nodes[position]?.isUnlisted = Bool.random(using: &generator)
    }
    return tree
  }

  private mutating func remove(_ position: CanonicalPosition) {
    nodes[position] = nil
    let below = position.directory.appending(position.name)
    nodes = nodes.filter { !$0.key.directory.isWithin(below) }
  }

  func sight(of directory: DirectoryKey) -> Sight {
    guard let (parent, name) = directory.parentAndName else { return rootSight }
    return nodes[CanonicalPosition(directory: parent, name: name)]?.sight ?? .notEntered
  }
}

/// What the detector must say, found with dictionaries and without any order.
struct NaiveComparison {
  var entered: [DirectoryKey: Bool] = [:]
  var notEntered: Set<DirectoryKey> = []
  var met: Set<CanonicalPosition> = []
  /// What was compared and is no directory.
  var ends: Set<CanonicalPosition> = []
  var unexamined: Set<CanonicalPosition> = []

  enum Fate { case met, kept, deleted }

  func fate(of position: CanonicalPosition) -> Fate {
    if met.contains(position) { return .met }
    if unexamined.contains(position) { return .kept }
    var directory = position.directory
    while true {
      if notEntered.contains(directory) { return .kept }
      if let isComplete = entered[directory] { return isComplete ? .deleted : .kept }
      guard let (parent, name) = directory.parentAndName else { return .kept }
      if ends.contains(CanonicalPosition(directory: parent, name: name)) { return .deleted }
      directory = parent
    }
  }
}

struct ChangeDetectorTests {
  /// Walks an imagined tree as `TreeWalker` does a real one.
  private struct ImaginedWalk: ~Copyable {
    let tree: ImaginedTree
    var naive = NaiveComparison()
    var detector: ChangeDetector<ListedState>
    var deletions = RecordedDeletions()
    let known: [CanonicalPosition: FileAttributes]
    let resume: CanonicalPosition?

    init(tree: ImaginedTree, state: ImaginedTree, resume: CanonicalPosition?) {
      self.tree = tree
      self.resume = resume
      known = state.nodes.mapValues(\.attributes)
      let rows = state.nodes.keys.sorted().map { position in
        ListedState.Row(
          position: position, attributes: state.nodes[position]?.attributes ?? FileAttributes(type: .fifo, mode: 0),
          content: .none)
      }
      detector = ChangeDetector(source: ListedState(rows: rows), resume: resume)
    }

    mutating func visit(_ directory: DirectoryKey) throws {
      let isComplete = tree.sight(of: directory) == .whole
      naive.entered[directory] = isComplete
      try detector.begin(directory, isComplete: isComplete, &deletions)
      let here = tree.nodes.filter { $0.key.directory == directory && !$0.value.isUnlisted }
      let names = here.keys.sorted()
      for position in names {
        guard let node = here[position] else { continue }
        if node.isUnexaminable {
          naive.unexamined.insert(position)
          try detector.keep(position.name, &deletions)
        } else {
          naive.met.insert(position)
          if let resume, position <= resume { continue }
          if node.attributes.type != .directory { naive.ends.insert(position) }
          let isDoubted = naive.entered.contains { !$0.value && directory.isWithin($0.key) }
          expect(
            try detector.verdict(position.name, node.attributes, &deletions), at: position, node.attributes,
            isDoubted: isDoubted)
        }
      }
      for position in names {
        guard let node = here[position] else { continue }
        let below = directory.appending(position.name)
        if node.isUnexaminable || (node.attributes.type == .directory && node.sight == .notEntered) {
          naive.notEntered.insert(below)
          try detector.notEntered(below, &deletions)
        } else if node.attributes.type == .directory {
          try visit(below)
        }
      }
    }

    func expect(
      _ verdict: ChangeVerdict, at position: CanonicalPosition, _ attributes: FileAttributes, isDoubted: Bool
    ) {
      switch (verdict, known[position]) {
      case (.new, nil): break
      case (.unchanged, let then?): #expect(!isDoubted && (then == attributes || attributes.type == .directory))
      case (.changed, let then?): #expect(isDoubted || then != attributes)
      default: Issue.record("\(verdict) at \(position)")
      }
    }
  }

  @Test(arguments: 0..<400) func agreesWithANaiveComparison(_ seed: Int) throws {
    var generator = SeededGenerator(seed: UInt64(seed))
    var state = ImaginedTree()
    state.grow(.root, depth: 4, &generator)
    let tree = state.changed(&generator)
    let known = state.nodes.keys.sorted()
    let resume = seed % 3 == 0 ? known.randomElement(using: &generator) : nil
    var walk = ImaginedWalk(tree: tree, state: state, resume: resume)
    try walk.visit(.root)
    try walk.detector.finish(&walk.deletions)

    let counted = known.filter { position in resume.map { position > $0 } ?? true }
    let naive = walk.naive
    #expect(walk.deletions.positions == counted.filter { naive.fate(of: $0) == .deleted })
    #expect(walk.detector.deletedCount == UInt64(walk.deletions.positions.count))
    #expect(walk.detector.keptCount == UInt64(counted.count { naive.fate(of: $0) == .kept }))
  }

  @Test func followsARealTree() throws {
    let tree = try TemporaryTree()
    for directory in ["gone", "gone/deep", "file-now", "stays"] { try tree.makeDirectory(ByteString(directory)) }
    for file in ["gone/1", "gone/deep/2", "file-now/3", "stays/4", "stays/5"] { try tree.write(ByteString(file)) }
    let before = try tree.walk()
    tree.remove("gone")
    tree.remove("file-now")
    tree.remove("stays/4")
    try tree.write("file-now")
    try tree.write("stays/6")
    let rows = before.entries.map {
      ListedState.Row(position: $0.position, attributes: $0.attributes, content: .none)
    }
    var visitor = DetectingVisitor(rows)
    let selection = try PathSelection(paths: [tree.path], workingDirectory: "/")
    try TreeWalker(selection: selection).walk(&visitor)
    try visitor.detector.finish(&visitor.deletions)
    #expect(
      visitor.deletions.positions.map { $0.directory.appending($0.name) }
        == ["gone", "file-now/3", "gone/1", "gone/deep", "gone/deep/2", "stays/4"].map { tree.key($0) }.sorted {
          ($0.parentAndName.map { $0.parent } ?? .root, $0) < ($1.parentAndName.map { $0.parent } ?? .root, $1)
        })
    #expect(visitor.new == ["6"] && visitor.changed.contains("file-now") && visitor.changed.contains("stays"))
    #expect(visitor.detector.keptCount == 0)
  }
}

/// A walk and a state, put together as a backup does.
private struct DetectingVisitor: WalkVisitor, ~Copyable {
  var detector: ChangeDetector<ListedState>
  var deletions = RecordedDeletions()
  var new: [ByteString] = []
  var changed: [ByteString] = []

  init(_ rows: [ListedState.Row]) { detector = ChangeDetector(source: ListedState(rows: rows)) }

  mutating func enter(_ directory: WalkDirectory) throws { try detector.enter(directory, &deletions) }

  mutating func entry(
    name: UnsafeRawBufferPointer, attributes: FileAttributes, linkTarget: UnsafeRawBufferPointer,
    mayHaveHoles: Bool, in directory: WalkDirectory
  ) throws {
    switch try detector.verdict(name: name, attributes: attributes, &deletions) {
    case .new: new.append(ByteString(name))
    case .changed: changed.append(ByteString(name))
    case .unchanged, .attributesChanged: break
    }
  }

  mutating func problem(
    name: UnsafeRawBufferPointer, phase: ProblemPhase, errorNumber: Int32, in directory: DirectoryKey
  ) throws {
    if phase != .list { try detector.keep(name: name, &deletions) }
  }

  mutating func leave(_ directory: WalkDirectory) throws {}

  mutating func notEntered(_ directory: DirectoryKey) throws { try detector.notEntered(directory, &deletions) }
}
