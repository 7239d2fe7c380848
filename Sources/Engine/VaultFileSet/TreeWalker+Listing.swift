import struct SystemPackage.Errno
import VaultModel
import VaultSystem

extension TreeWalker {
  /// Visits a directory of which everything is saved.
  mutating func visitWhole<Visitor: WalkVisitor & ~Copyable>(
    _ shared: SharedDescriptor, _ status: FileAttributes, parentKeyLength: Int?, _ visitor: inout Visitor
  ) throws {
    isInCache = false
    let failure = listNames(shared.number)
    isInCache = isInCache && isCache(shared.number)
    matcher.enter(key.bytes)
    if let failure { try reportListProblem(failure, parentKeyLength: parentKeyLength, &visitor) }
    try names.sort()
    let directory = WalkDirectory(
      shared, key: currentKey, isVirtual: false, isComplete: failure == nil,
      granularityNanoseconds: granularity(shared, status))
    try visitor.enter(directory)
    var list = subdirectories.beginList()
    while let name = try names.next() {
      try deliver(name, in: directory, device: status.device, to: &list, &visitor)
    }
    try visitor.leave(directory)
    try enterLevel(shared, status, list)
  }

  /// Visits a directory that only leads to selected paths.
  mutating func visitOnTheWay<Visitor: WalkVisitor & ~Copyable>(
    _ shared: SharedDescriptor, _ status: FileAttributes, _ visitor: inout Visitor
  ) throws {
    let directory = WalkDirectory(
      shared, key: currentKey, isVirtual: true, isComplete: true, granularityNanoseconds: granularity(shared, status))
    try visitor.enter(directory)
    var list = subdirectories.beginList()
    for (name, isSelected) in selection.names(in: directory.key) {
      try deliverOnTheWay(name, isSelected: isSelected, in: directory, to: &list, &visitor)
    }
    try visitor.leave(directory)
    try enterLevel(shared, status, list)
  }

  /// Reads all names of a directory; `isInCache` becomes true when a cache's tag is among them.
  ///
  /// - Returns: what ended it early; the names before that are listed.
  private mutating func listNames(_ descriptor: Int32) -> Errno? {
    names.removeAll()
    var failure: Errno?
    let looksForTag = options.exclusions.leavesOutCaches
    do throws(Errno) {
      try stream.forEachName(in: descriptor) { name in
        if looksForTag, CacheTag.isName(name.bytes) { isInCache = true }
        do throws(FileSetError) {
          try names.append(name.bytes, type: name.type)
          return true
        } catch {
          failure = error.errno ?? .ioError
          return false
        }
      }
    } catch { failure = error }
    return failure
  }

  private mutating func granularity(_ shared: SharedDescriptor, _ status: FileAttributes) -> Int64 {
    if let granularity, granularity.device == status.device { return granularity.nanoseconds }
    let nanoseconds = TimestampGranularity.nanoseconds(of: shared.number)
    granularity = (status.device, nanoseconds)
    return nanoseconds
  }

  // MARK: Entries

  @inline(__always)
  private mutating func deliver<Visitor: WalkVisitor & ~Copyable>(
    _ name: ListedName, in directory: WalkDirectory, device: UInt64, to list: inout SubdirectoryStack.List,
    _ visitor: inout Visitor
  ) throws {
    guard let pointer = name.pointer else { return }
    var admission = Admission.kept
    if name.type.isKnown {
      admission = admit(name.bytes, isDirectory: name.type.mayBeDirectory, in: directory)
      if admission == .leftOut { return }
    }
    let attributes: FileAttributes
    let mayHaveHoles: Bool
    do throws(Errno) {
      guard name.bytes.count <= 255 else { throw .fileNameTooLong }
      let status = try FileStatus.readAllocated(at: directory.descriptor, name: pointer)
      attributes = status.attributes
      mayHaveHoles = status.allocatedBytes < attributes.size
    } catch {
      // Gone since the directory was read: as if it had been read a moment later.
      if error == .noSuchFileOrDirectory { return }
      try reportUnexamined(name.bytes, error, .examine, in: directory, &visitor)
      if name.type.mayBeDirectory, name.bytes.count <= 255 {
        try subdirectories.append(name.bytes, .notEntered, to: &list)
      }
      return
    }
    if isExcluded(attributes) { return }
    if !name.type.isKnown {
      admission = admit(name.bytes, isDirectory: attributes.type == .directory, in: directory)
    }
    if admission == .kept, isNotToBeSaved(attributes) || isTooLarge(attributes) {
      admission = admitSelected(name.bytes, isDirectory: attributes.type == .directory, in: directory)
    }
    if admission == .leftOut { return }
    switch attributes.type {
    case .directory:
      try visitor.entry(
        name: name.bytes, attributes: attributes, linkTarget: Self.noTarget, mayHaveHoles: false, in: directory)
      if admission == .onTheWay { return try subdirectories.append(name.bytes, .onTheWay, to: &list) }
      let isElsewhere = attributes.device != device && !options.crossesFileSystems
      try subdirectories.append(name.bytes, isElsewhere ? mountPointKind(name.bytes) : .ordinary, to: &list)
    case .symbolicLink:
      try deliverLink(name.bytes, pointer, attributes, in: directory, &visitor)
    default:
      try visitor.entry(
        name: name.bytes, attributes: attributes, linkTarget: Self.noTarget, mayHaveHoles: mayHaveHoles, in: directory)
    }
  }

  // MARK: Exclusions

  private enum Admission {
    case kept
    case leftOut
    /// Left out but for what leads to a selected path.
    case onTheWay
  }

  /// Whether patterns and caches let a name in, and counts it when they do not.
  @inline(__always)
  private mutating func admit(
    _ name: UnsafeRawBufferPointer, isDirectory: Bool, in directory: WalkDirectory
  ) -> Admission {
    guard (isInCache && !CacheTag.isName(name)) || matcher.leavesOut(name, isDirectory: isDirectory) else {
      return .kept
    }
    return admitSelected(name, isDirectory: isDirectory, in: directory)
  }

  /// Whether an entry's own flag keeps it out of backups.
  @inline(__always)
  private func isNotToBeSaved(_ attributes: FileAttributes) -> Bool {
    options.honorsNoDump && attributes.inodeFlags.contains(.noDump)
  }

  private func isTooLarge(_ attributes: FileAttributes) -> Bool {
    guard let limit = options.exclusions.largestFile, attributes.type == .regular else { return false }
    return attributes.size > limit
  }

  /// Lets in what was selected, and the way to it, whatever the exclusions say of its name.
  private mutating func admitSelected(
    _ name: UnsafeRawBufferPointer, isDirectory: Bool, in directory: WalkDirectory
  ) -> Admission {
    if selection.isNested {
      let entry = directory.key.appending(ByteString(name))
      if selection.contains(entry) { return .kept }
      if isDirectory, !selection.names(in: entry).isEmpty { return .onTheWay }
    }
    leftOutCount += 1
    return .leftOut
  }

  private mutating func deliverLink<Visitor: WalkVisitor & ~Copyable>(
    _ name: UnsafeRawBufferPointer, _ pointer: UnsafePointer<CChar>, _ attributes: FileAttributes,
    in directory: WalkDirectory, _ visitor: inout Visitor
  ) throws {
    let count: Int
    do throws(Errno) {
      count = try DirectoryNames.readLink(at: directory.descriptor, name: pointer, into: linkTarget)
      guard count > 0 else { throw .invalidArgument }
      guard count < linkTarget.count else { throw .fileNameTooLong }
    } catch {
      if error == .noSuchFileOrDirectory { return }
      return try reportUnexamined(name, error, .examine, in: directory, &visitor)
    }
    try visitor.entry(
      name: name, attributes: attributes, linkTarget: UnsafeRawBufferPointer(rebasing: linkTarget[..<count]),
      mayHaveHoles: false, in: directory)
  }

  private mutating func deliverOnTheWay<Visitor: WalkVisitor & ~Copyable>(
    _ name: ByteString, isSelected: Bool, in directory: WalkDirectory, to list: inout SubdirectoryStack.List,
    _ visitor: inout Visitor
  ) throws {
    try (name.bytes + [0]).withUnsafeBytes { bytes in
      let bare = UnsafeRawBufferPointer(rebasing: bytes.dropLast())
      let attributes: FileAttributes
      let mayHaveHoles: Bool
      do throws(Errno) {
        guard bare.count <= 255 else { throw .fileNameTooLong }
        guard let pointer = bytes.baseAddress else { throw .invalidArgument }
        let status = try FileStatus.readAllocated(
          at: directory.descriptor, name: pointer.assumingMemoryBound(to: CChar.self))
        attributes = status.attributes
        mayHaveHoles = status.allocatedBytes < attributes.size
        if isExcluded(attributes) { throw .resourceBusy }
        if !isSelected, attributes.type != .directory { throw .notDirectory }
      } catch {
        try reportUnexamined(bare, error, .missing, in: directory, &visitor)
        if bare.count <= 255 { try subdirectories.append(bare, .notEntered, to: &list) }
        return
      }
      if attributes.type == .symbolicLink, let pointer = bytes.baseAddress {
        return try deliverLink(
          bare, pointer.assumingMemoryBound(to: CChar.self), attributes, in: directory, &visitor)
      }
      try visitor.entry(
        name: bare, attributes: attributes, linkTarget: Self.noTarget, mayHaveHoles: mayHaveHoles, in: directory)
      if attributes.type == .directory {
        try subdirectories.append(bare, isSelected ? .start : .onTheWay, to: &list)
      }
    }
  }

  private func reportUnexamined<Visitor: WalkVisitor & ~Copyable>(
    _ name: UnsafeRawBufferPointer, _ errno: Errno, _ phase: ProblemPhase, in directory: WalkDirectory,
    _ visitor: inout Visitor
  ) throws {
    try visitor.problem(
      name: UnsafeRawBufferPointer(rebasing: name.prefix(255)), phase: phase, errorNumber: errno.rawValue,
      in: directory.key)
  }

  private static var noTarget: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

  @inline(__always)
  private func isExcluded(_ attributes: FileAttributes) -> Bool {
    options.excluded.contains { $0.inode == attributes.inode && $0.device == attributes.device }
  }

  /// A mount point's contents belong to the walk only when a path there was given by name.
  private mutating func mountPointKind(_ name: UnsafeRawBufferPointer) -> SubdirectoryKind {
    let mountPoint = currentKey.appending(ByteString(name))
    if selection.contains(mountPoint) { return .start }
    return selection.names(in: mountPoint).isEmpty ? .notEntered : .onTheWay
  }
}
