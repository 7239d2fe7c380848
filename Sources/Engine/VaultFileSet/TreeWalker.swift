// VaultFileSet: which files, and all of a file. A `PathSelection` says what is wanted, a `TreeWalker` visits it in canonical
// order, a `ChangeDetector` merges the walk with the known state, a `FileReader` reads one file; a `RestoreWriter` puts
// entries below a `RestoreTarget`. Nothing here knows records, groups, digests or the network.

import struct SystemPackage.Errno
import VaultModel
import VaultSystem

/// Visits everything selected, in canonical order, on the calling thread.
///
/// It goes by descriptor, so that paths may have any length and nobody can divert it by a symbolic link.
/// - Bounds: `Options.nameByteLimit` limits the names held for one directory and those of waiting subdirectories; what
///   exceeds it goes through temporary files. `Options.levelLimit` limits the descriptors held by the walk itself.
package struct TreeWalker: ~Copyable {
  package struct Options: Sendable {
    /// Descends into what is mounted below a selected path; without it only the mount point is saved.
    package var crossesFileSystems = false
    /// What is left out with everything below it, such as the repository itself.
    package var excluded: [FileIdentity] = []
    /// Leaves out what has the inode flag *no dump*, unless a path names it.
    package var honorsNoDump = true
    /// What is left out by its name, its size or a cache's tag, unless it was selected or leads to what was.
    package var exclusions = Exclusions()
    package var nameByteLimit = 16 * 1024 * 1024
    package var levelLimit = 256
    package var temporaryDirectory = TemporaryFile.defaultDirectory

    package init() {}
  }

  /// Longer paths fit into no record.
  static let keyByteLimit = 512 * 1024
  /// How often a descriptor is tried for when none is left: one second in all.
  private static let descriptorAttempts = 100

  let selection: PathSelection
  let options: Options
  /// The key of the directory that is visited now; a NUL follows it when it ends in a name to open.
  var key = ByteArena()
  var levels: [WalkLevel] = []
  /// How many levels may have descriptors; fewer once the system had none left.
  var levelLimit: Int
  var names: NameList
  var subdirectories: SubdirectoryStack
  var stream = DirectoryStream()
  let linkTarget = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)
  /// The device whose granularity is known.
  var granularity: (device: UInt64, nanoseconds: Int64)?
  var matcher: ExclusionMatcher
  /// Whether the directory that is visited now is a cache, of which only the tag is kept.
  var isInCache = false
  /// How many names were left out by `Options.exclusions`; what lies below them is not counted.
  var leftOutCount: UInt64 = 0

  package init(selection: PathSelection, options: Options = Options()) {
    self.selection = selection
    self.options = options
    levelLimit = max(1, options.levelLimit)
    names = NameList(byteLimit: options.nameByteLimit, temporaryDirectory: options.temporaryDirectory)
    subdirectories = SubdirectoryStack(
      byteLimit: options.nameByteLimit, temporaryDirectory: options.temporaryDirectory)
    matcher = ExclusionMatcher(patterns: options.exclusions.patterns, selection: selection)
  }

  deinit { linkTarget.deallocate() }

  /// Walks once.
  ///
  /// - Returns: how many names the exclusions left out; what lies below a directory that was is not counted.
  /// - Throws: `FileSetError.temporaryFile`, and what the visitor throws.
  @discardableResult
  package consuming func walk<Visitor: WalkVisitor & ~Copyable>(_ visitor: inout Visitor) throws -> UInt64 {
    DescriptorLimit.raise()
    if selection.keys.isEmpty { return 0 }
    let rootKind: SubdirectoryKind = selection.contains(.root) ? .start : .onTheWay
    try visit(rootKind, "/", parent: Descriptor.workingDirectory, device: 0, parentKeyLength: nil, &visitor)
    while let level = levels.last {
      var list = level.subdirectories
      key.truncate(to: level.keyLength)
      key.append(0)
      guard let kind = try subdirectories.next(of: &list, into: &key) else {
        leaveLevel()
        continue
      }
      key.terminate()
      levels[levels.count - 1].subdirectories = list
      try descend(kind, from: level, isLast: list.isEmpty, &visitor)
    }
    return leftOutCount
  }

  /// Visits the subdirectory whose key was just completed.
  private mutating func descend<Visitor: WalkVisitor & ~Copyable>(
    _ kind: SubdirectoryKind, from level: WalkLevel, isLast: Bool, _ visitor: inout Visitor
  ) throws {
    if kind == .notEntered {
      try visitor.notEntered(currentKey)
    } else if key.count > Self.keyByteLimit {
      try reportUnlisted(.fileNameTooLong, parentKeyLength: level.keyLength, &visitor)
    } else if let parent = reopenedDescriptor() {
      defer { withExtendedLifetime(parent) {} }
      // A level whose last subdirectory is visited is not needed any more: a chain of any depth holds one descriptor.
      if isLast { leaveLevel() }
      let name = UnsafeRawPointer(key.base + level.keyLength + 1).assumingMemoryBound(to: CChar.self)
      try visit(
        kind, name, parent: parent.number, device: level.device, parentKeyLength: level.keyLength, &visitor)
    } else {
      try reportUnlisted(levels.last?.failure ?? .staleNFSFileHandle, parentKeyLength: level.keyLength, &visitor)
    }
  }

  private mutating func leaveLevel() {
    if let level = levels.popLast() { subdirectories.removeList(level.subdirectories) }
  }

  /// Opens a directory and visits what is in it.
  private mutating func visit<Visitor: WalkVisitor & ~Copyable>(
    _ kind: SubdirectoryKind, _ name: UnsafePointer<CChar>, parent: Int32, device: UInt64, parentKeyLength: Int?,
    _ visitor: inout Visitor
  ) throws {
    let shared: SharedDescriptor
    let status: FileAttributes
    do throws(Errno) {
      // Listing needs permission to read; only passing through does not.
      let flags: OpenFlags = kind == .onTheWay ? [.pathOnly] : [.readOnly, .nonBlocking]
      shared = SharedDescriptor(try openPatiently(parent, name, flags.union([.directory, .noFollow])))
      status = try FileStatus.read(of: shared.number)
    } catch {
      return try reportUnlisted(error, parentKeyLength: parentKeyLength, &visitor)
    }
    let isElsewhere = kind == .ordinary && status.device != device && !options.crossesFileSystems
    // Something was mounted there, or it was replaced, since it was examined.
    if isElsewhere { return try visitor.notEntered(currentKey) }
    if kind == .onTheWay {
      try visitOnTheWay(shared, status, &visitor)
    } else {
      try visitWhole(shared, status, parentKeyLength: parentKeyLength, &visitor)
    }
  }

  /// The directory's key as a value.
  var currentKey: DirectoryKey { DirectoryKey(keyBytes: Array(key.bytes)) }

  /// Reports that the directory whose key is current could not be listed and that nothing below it is seen.
  private mutating func reportUnlisted<Visitor: WalkVisitor & ~Copyable>(
    _ errno: Errno, parentKeyLength: Int?, _ visitor: inout Visitor
  ) throws {
    try reportListProblem(errno, parentKeyLength: parentKeyLength, &visitor)
    try visitor.notEntered(currentKey)
  }

  mutating func reportListProblem<Visitor: WalkVisitor & ~Copyable>(
    _ errno: Errno, parentKeyLength: Int?, _ visitor: inout Visitor
  ) throws {
    let parentLength = parentKeyLength ?? 0
    let nameStart = parentKeyLength.map { $0 + 1 } ?? 0
    try visitor.problem(
      name: key.bytes(nameStart..<min(key.count, nameStart + 255)), phase: .list, errorNumber: errno.rawValue,
      in: DirectoryKey(keyBytes: Array(key.bytes(0..<parentLength))))
  }

  // MARK: Descriptors

  /// Opens a directory; leaves its access time alone where that is allowed.
  mutating func openPatiently(
    _ parent: Int32, _ name: UnsafePointer<CChar>, _ flags: OpenFlags
  ) throws(Errno) -> Descriptor {
    var attempt = 0
    var flags = flags.contains(.pathOnly) ? flags : flags.union(.noAccessTime)
    while true {
      do throws(Errno) { return try Descriptor.open(at: parent, name: name, flags) } catch {
        switch error {
        case .notPermitted where flags.contains(.noAccessTime):
          flags.remove(.noAccessTime)
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem:
          // The walk's own can be opened again; threads that read files close theirs soon.
          if closeUpperLevels() { continue }
          guard attempt < Self.descriptorAttempts else { throw error }
          attempt += 1
          DescriptorLimit.pause()
        default: throw error
        }
      }
    }
  }
}
