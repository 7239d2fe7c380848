import VaultFileSet
import VaultModel

/// A walk of a tree, in canonical order and with every name's attributes.
enum WalkMeasurement {
  private struct Counter: WalkVisitor, ~Copyable {
    var entryCount = 0
    mutating func enter(_ directory: WalkDirectory) {}
    mutating func entry(
      name: UnsafeRawBufferPointer, attributes: FileAttributes, linkTarget: UnsafeRawBufferPointer,
      mayHaveHoles: Bool, in directory: WalkDirectory
    ) { entryCount += 1 }
    mutating func problem(
      name: UnsafeRawBufferPointer, phase: ProblemPhase, errorNumber: Int32, in directory: DirectoryKey
    ) throws {
      throw MeasurementError("\(directory.path.displayText)/\(ByteString(name).displayText): error \(errorNumber)")
    }
    mutating func leave(_ directory: WalkDirectory) {}
    mutating func notEntered(_ directory: DirectoryKey) {}
  }

  static func run(_ directory: ByteString) throws {
    var counter = Counter()
    let walker = TreeWalker(selection: try PathSelection(paths: [directory], workingDirectory: "/"))
    let watch = Stopwatch()
    try walker.walk(&counter)
    watch.report("walk", counter.entryCount, "entries")
  }
}
