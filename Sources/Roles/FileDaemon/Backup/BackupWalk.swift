import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSystem

/// The walker's thread: walks the selected paths, compares with the state, and cuts what is to be saved into units.
struct BackupWalk: WalkVisitor, ~Copyable {
  private let order: BackupOrder
  private let context: BackupContext
  private let progress: ProgressReporter
  private var detector: DetectorBox
  private var cutter: UnitCutter
  private var links = LinkMap()
  private var owners = OwnerNames()
  private(set) var counters = JobCounters()
  /// Bytes of files that are not read in this attempt.
  private var passedByteCount: UInt64 = 0
  /// Everything up to the resume position is committed already: it is counted and passed over.
  private var isPassingOver: Bool

  /// Walks to the end, or until the job is stopped.
  ///
  /// - Returns: what the walk counted, and how many names were left out.
  static func run(
    order: BackupOrder, excluding excluded: [FileIdentity], context: BackupContext, link: DirectorLink,
    progress: ProgressReporter
  ) throws -> (counters: JobCounters, excludedCount: UInt64) {
    var excludedCount: UInt64 = 0
    var walk = BackupWalk(
      order: order, context: context, progress: progress,
      detector: DetectorBox(ChangeDetector(source: try StateStream(link: link, isEmpty: !order.compares))))
    do {
      excludedCount = try order.files.walker(excluding: excluded).walk(&walk)
      try walk.detector.finish(&walk.deletions)
      try walk.takeDeletions()
    } catch is WalkStopped {
      // Stopped in order: what is queued is still sent and committed.
    }
    try walk.cutter.cut()
    walk.tellProgress(at: nil)
    return (walk.counters, excludedCount)
  }

  private init(order: BackupOrder, context: BackupContext, progress: ProgressReporter, detector: DetectorBox) {
    self.order = order
    self.context = context
    self.progress = progress
    self.detector = detector
    cutter = UnitCutter(context: context, firstIndex: order.nextEntry)
    isPassingOver = order.position != nil
  }

  private var deletions = Deletions()

  // MARK: The walk's events

  mutating func enter(_ directory: WalkDirectory) throws {
    try stopIfAsked()
    try detector.enter(directory, &deletions)
    try takeDeletions()
    cutter.enter(directory, path: directory.path)
  }

  mutating func leave(_ directory: WalkDirectory) throws {}

  mutating func notEntered(_ directory: DirectoryKey) throws {
    try detector.notEntered(directory, &deletions)
    try takeDeletions()
  }

  mutating func problem(
    name: UnsafeRawBufferPointer, phase: ProblemPhase, errorNumber: Int32, in directory: DirectoryKey
  ) throws {
    if phase == .list {
      cutter.enter(nil, path: directory.path)
    } else {
      try detector.keep(name: name, &deletions)
      try takeDeletions()
    }
    try cutter.add(
      .problem(phase, errorNumber), name: name, target: UnsafeRawBufferPointer(start: nil, count: 0),
      attributes: FileAttributes(type: .fifo, mode: 0))
  }

  mutating func entry(
    name: UnsafeRawBufferPointer, attributes: FileAttributes, linkTarget: UnsafeRawBufferPointer,
    mayHaveHoles: Bool, in directory: WalkDirectory
  ) throws {
    try stopIfAsked()
    count(attributes, name, directory)
    let verdict = try detector.verdict(name: name, attributes: attributes, &deletions)
    if !deletions.isEmpty {
      try takeDeletions()
      cutter.enter(directory, path: directory.path)
    }
    try tellAgain(name, attributes, directory)
    var known: ContentReference?
    var comparison: Comparison?
    var isNew = false
    switch verdict {
    case .unchanged(let linked):
      counters.unchanged += 1
      if let linked, try tellLink(name, attributes, directory, linked, mayHaveHoles: mayHaveHoles) { return }
      passed(attributes)
      return
    case .new:
      counters.new += 1
      isNew = true
    case .changed(.size): counters.changedSize += 1
    case .changed(.date): counters.changedDate += 1
    case .changed(.attributes): counters.changedAttributes += 1
    case .attributesChanged(let content, let onlyDoubted):
      known = content
      comparison = Comparison(known: content, onlyDoubted: onlyDoubted)
    }
    if try passOver(name, directory) {
      // What an earlier attempt read of it is not told again.
      if let comparison { counters.count(comparison, isSame: true) }
      passed(attributes)
      return
    }
    try nameOwners(attributes)
    try add(
      name, attributes, linkTarget, directory, known, comparison, isNew: isNew, mayHaveHoles: mayHaveHoles)
  }

  // MARK: Deciding

  /// Tells what owner and group are called before the first entry that has them.
  private mutating func nameOwners(_ attributes: FileAttributes) throws {
    for owner in owners.new(in: attributes) {
      try owner.name.bytes.withUnsafeBytes { name in
        try cutter.add(
          .ownerName(owner.kind, owner.number), name: name, target: UnsafeRawBufferPointer(start: nil, count: 0),
          attributes: FileAttributes(type: .fifo, mode: 0))
      }
    }
  }

  private mutating func add(
    _ name: UnsafeRawBufferPointer, _ attributes: FileAttributes, _ target: UnsafeRawBufferPointer,
    _ directory: WalkDirectory, _ known: ContentReference?, _ comparison: Comparison?, isNew: Bool,
    mayHaveHoles: Bool
  ) throws {
    guard attributes.type == .regular else {
      return try cutter.add(.attributes, name: name, target: target, attributes: attributes)
    }
    var promise: LinkPromise?
    if attributes.isHardLinked {
      switch try links.meet(attributes) {
      case .first(let new): promise = new
      case .again(let earlier):
        return try cutter.add(
          .follow(earlier), name: name, target: target, attributes: attributes, mayHaveHoles: mayHaveHoles,
          comparison: comparison)
      }
    }
    if let halfSent = order.halfSent, halfSent.position == position(name, directory) {
      return try cutter.add(
        .resume(halfSent.file), name: name, target: target, attributes: attributes, promise: promise,
        comparison: comparison)
    }
    let action: UnitAction = known.map { .compare($0) } ?? .store
    try cutter.add(
      action, name: name, target: target, attributes: attributes, mayHaveHoles: mayHaveHoles,
      asksForInode: asksForInode(attributes, isNew: isNew), promise: promise, comparison: comparison)
  }

  /// Tells an unchanged name of a file with several, where the state has another content for it than for the names before it: all
  /// are to refer to one, or a restore would not link them.
  ///
  /// The names before it may be told in this job, or have been saved while the file was being linked: then each was read for
  /// itself, and none of them changed since.
  ///
  /// - Returns: whether it is told.
  private mutating func tellLink(
    _ name: UnsafeRawBufferPointer, _ attributes: FileAttributes, _ directory: WalkDirectory,
    _ linked: ContentReference, mayHaveHoles: Bool
  ) throws -> Bool {
    // What an earlier attempt made of the names passed over, the director knows, and the state does not.
    guard case .stored(let identifier, let sealed) = linked, try !passOver(name, directory),
      let promise = try links.meet(attributes, identifier, sealed)
    else { return false }
    try cutter.add(
      .follow(promise), name: name, target: UnsafeRawBufferPointer(start: nil, count: 0), attributes: attributes,
      mayHaveHoles: mayHaveHoles)
    return true
  }

  /// Whether the director may know the inode under another name: from the state, or from what earlier attempts saved.
  private func asksForInode(_ attributes: FileAttributes, isNew: Bool) -> Bool {
    if attributes.isHardLinked, order.position != nil { return true }
    return order.compares && (attributes.isHardLinked || (isNew && attributes.size > 0))
  }

  private func position(_ name: UnsafeRawBufferPointer, _ directory: WalkDirectory) -> CanonicalPosition {
    CanonicalPosition(directory: directory.key, name: ByteString(name))
  }

  private mutating func passOver(_ name: UnsafeRawBufferPointer, _ directory: WalkDirectory) throws -> Bool {
    guard isPassingOver, let resume = order.position else { return false }
    if position(name, directory) <= resume { return true }
    isPassingOver = false
    return false
  }

  /// Tells a directory again whose own name was passed over, and names in it were not: when an earlier attempt told of it,
  /// something else may have stood there, or nothing.
  private mutating func tellAgain(
    _ name: UnsafeRawBufferPointer, _ attributes: FileAttributes, _ directory: WalkDirectory
  ) throws {
    guard attributes.type == .directory, let resume = order.position, position(name, directory) <= resume else {
      return
    }
    let key = directory.key.appending(ByteString(name))
    guard key >= resume.directory || resume.directory.isWithin(key) else { return }
    try cutter.add(
      .attributes, name: name, target: UnsafeRawBufferPointer(start: nil, count: 0), attributes: attributes)
  }

  private mutating func takeDeletions() throws {
    guard !deletions.isEmpty else { return }
    var current: ByteString?
    for deletion in deletions.take() {
      if current != deletion.directory {
        current = deletion.directory
        cutter.enter(nil, path: DirectoryKey(keyBytes: deletion.directory.bytes).path)
      }
      counters.deleted += 1
      try deletion.name.bytes.withUnsafeBytes { name in
        try cutter.add(
          .delete, name: name, target: UnsafeRawBufferPointer(start: nil, count: 0),
          attributes: FileAttributes(type: .fifo, mode: 0))
      }
    }
  }

  private mutating func count(_ attributes: FileAttributes, _ name: UnsafeRawBufferPointer, _ directory: WalkDirectory)
  {
    counters.entriesSeen += 1
    if attributes.type == .regular {
      counters.regularFilesSeen += 1
      counters.add(attributes.size, to: \.bytesSeen)
    }
    guard counters.entriesSeen % 64 == 0 || attributes.size > UInt64(GroupLimits.contentDataLimit) else { return }
    tellProgress(at: directory.key.appending(ByteString(name)).path)
  }

  private func tellProgress(at path: ByteString?) {
    progress.saw(entries: counters.entriesSeen, passedBytes: passedByteCount, path: path)
    progress.tick()
  }

  /// Nobody reads the file any more.
  private mutating func passed(_ attributes: FileAttributes) {
    if attributes.type == .regular { passedByteCount &+= attributes.size }
  }

  private func stopIfAsked() throws {
    if context.isStopping { throw WalkStopped() }
  }
}

/// The walk was asked to end early.
struct WalkStopped: Error {}

/// Names that vanished, collected between two entries.
struct Deletions: DeletionVisitor {
  struct Deletion {
    var directory: ByteString
    var name: ByteString
  }

  private var collected: [Deletion] = []

  var isEmpty: Bool { collected.isEmpty }

  mutating func deleted(name: UnsafeRawBufferPointer, in directory: UnsafeRawBufferPointer) throws {
    collected.append(Deletion(directory: ByteString(directory), name: ByteString(name)))
  }

  mutating func take() -> [Deletion] {
    defer { collected = [] }
    return collected
  }
}
