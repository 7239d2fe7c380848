import VaultFileSet
import VaultModel

/// Keeps everything that a walk says.
struct RecordingVisitor: WalkVisitor {
  struct Seen: Equatable {
    let position: CanonicalPosition
    let attributes: FileAttributes
    let linkTarget: ByteString
  }

  struct Problem: Equatable {
    let directory: DirectoryKey
    let name: ByteString
    let phase: ProblemPhase
    let errorNumber: Int32
  }

  struct Stop: Error {}

  var entered: [DirectoryKey] = []
  var virtual: [DirectoryKey] = []
  var incomplete: [DirectoryKey] = []
  var notEntered: [DirectoryKey] = []
  var entries: [Seen] = []
  var problems: [Problem] = []
  /// Every directory of the walk, in the order in which it was told: entered or not.
  var order: [DirectoryKey] = []
  var openDirectory: DirectoryKey?
  var stopsAfter = Int.max

  mutating func enter(_ directory: WalkDirectory) throws {
    entered.append(directory.key)
    order.append(directory.key)
    if directory.isVirtual { virtual.append(directory.key) }
    if !directory.isComplete { incomplete.append(directory.key) }
    openDirectory = directory.key
  }

  mutating func entry(
    name: UnsafeRawBufferPointer, attributes: FileAttributes, linkTarget: UnsafeRawBufferPointer,
    mayHaveHoles: Bool, in directory: WalkDirectory
  ) throws {
    let position = CanonicalPosition(directory: directory.key, name: ByteString(name))
    entries.append(Seen(position: position, attributes: attributes, linkTarget: ByteString(linkTarget)))
    if entries.count >= stopsAfter { throw Stop() }
  }

  mutating func problem(
    name: UnsafeRawBufferPointer, phase: ProblemPhase, errorNumber: Int32, in directory: DirectoryKey
  ) throws {
    problems.append(
      Problem(directory: directory, name: ByteString(name), phase: phase, errorNumber: errorNumber))
  }

  mutating func leave(_ directory: WalkDirectory) throws { openDirectory = nil }

  mutating func notEntered(_ directory: DirectoryKey) throws {
    notEntered.append(directory)
    order.append(directory)
  }

  /// The absolute paths of all entries, in the order of the walk.
  var paths: [ByteString] { entries.map { $0.position.directory.appending($0.position.name).path } }
}

extension TemporaryTree {
  /// Walks what was selected.
  func walk(
    _ selected: [ByteString] = [""], stopsAfter: Int = .max, _ change: (inout TreeWalker.Options) -> Void = { _ in }
  ) throws -> RecordingVisitor {
    let selection = try PathSelection(paths: selected.map(absolute), workingDirectory: "/")
    var options = TreeWalker.Options()
    change(&options)
    var visitor = RecordingVisitor()
    visitor.stopsAfter = stopsAfter
    try TreeWalker(selection: selection, options: options).walk(&visitor)
    return visitor
  }

  /// The paths below this tree of the entries seen.
  func relative(_ visitor: RecordingVisitor) -> [ByteString] {
    visitor.paths.compactMap { path in
      path.count > self.path.count && path.bytes.starts(with: self.path.bytes)
        ? ByteString(path.bytes[(self.path.count + 1)...]) : nil
    }
  }
}
