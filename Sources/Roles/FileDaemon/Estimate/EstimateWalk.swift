import VaultFileSet
import VaultModel
import VaultProtocol
import VaultSession
import VaultSystem

/// The walk of a backup that is not made: counts what it would do, and tells it entry by entry when asked.
struct EstimateWalk: WalkVisitor, ~Copyable {
  /// Changes travel in frames of about this many bytes.
  private static let frameByteCount = 60 * 1024

  private let order: EstimateOrder
  private let context: BackupContext
  private let director: Channel
  private let progress: ProgressReporter
  private var detector: DetectorBox
  private var links = LinkTable(memoryLimit: 16 << 20)
  private var changes = ChangeList()
  private var deletions = Deletions()
  private var estimate = BackupEstimate()
  /// Everything up to the resume position is committed already: it is counted, but not saved once more.
  private var isPassingOver: Bool

  /// Walks to the end, or until the job is stopped.
  static func run(
    order: EstimateOrder, excluding excluded: [FileIdentity], context: BackupContext, link: DirectorLink,
    director: Channel
  ) throws -> BackupEstimate {
    var walk = EstimateWalk(
      order: order, context: context, director: director,
      detector: DetectorBox(ChangeDetector(source: try StateStream(link: link, isEmpty: !order.compares))))
    do {
      walk.estimate.excluded = try order.files.walker(excluding: excluded).walk(&walk)
      try walk.detector.finish(&walk.deletions)
      try walk.takeDeletions()
    } catch is WalkStopped {
      // What was found so far is not what was asked for: the director drops it.
    }
    try walk.sendChanges()
    return walk.estimate
  }

  private init(order: EstimateOrder, context: BackupContext, director: Channel, detector: DetectorBox) {
    self.order = order
    self.context = context
    self.director = director
    self.detector = detector
    progress = ProgressReporter(context: context, channel: director)
    isPassingOver = order.position != nil
  }

  // MARK: The walk's events

  mutating func enter(_ directory: WalkDirectory) throws {
    try stopIfAsked()
    try detector.enter(directory, &deletions)
    try takeDeletions()
  }

  mutating func leave(_ directory: WalkDirectory) throws {}

  mutating func notEntered(_ directory: DirectoryKey) throws {
    try detector.notEntered(directory, &deletions)
    try takeDeletions()
  }

  mutating func problem(
    name: UnsafeRawBufferPointer, phase: ProblemPhase, errorNumber: Int32, in directory: DirectoryKey
  ) throws {
    if phase != .list {
      try detector.keep(name: name, &deletions)
      try takeDeletions()
    }
    estimate.problems += 1
    var line = ControlLine("problem")
    line.set("directory", directory.path)
    line.set("name", ByteString(name))
    line.set("phase", phase.rawValue)
    line.set("errno", errorNumber)
    try line.encoded().withUnsafeBytes { try director.sendFrameBlocking(.listing, $0) }
  }

  mutating func entry(
    name: UnsafeRawBufferPointer, attributes: FileAttributes, linkTarget: UnsafeRawBufferPointer,
    mayHaveHoles: Bool, in directory: WalkDirectory
  ) throws {
    try stopIfAsked()
    see(attributes, name, directory)
    let verdict = try detector.verdict(name: name, attributes: attributes, &deletions)
    try takeDeletions()
    let kind: PlannedChange.Kind
    switch verdict {
    case .unchanged:
      estimate.unchanged += 1
      return
    case .new:
      estimate.new += 1
      kind = .new
    case .changed, .attributesChanged:
      estimate.changed += 1
      kind = .changed
    }
    if isCommitted(name, directory) { return }
    if attributes.type == .regular, try isFirstLink(attributes) { estimate.add(attributes.size, to: \.bytesToRead) }
    if order.listsChanges { try tell(PlannedChange(kind, directory.key.appending(ByteString(name)).path)) }
  }

  // MARK: Counting

  private mutating func see(
    _ attributes: FileAttributes, _ name: UnsafeRawBufferPointer, _ directory: WalkDirectory
  ) {
    estimate.entriesSeen += 1
    if attributes.type == .regular {
      estimate.regularFilesSeen += 1
      estimate.add(attributes.size, to: \.bytesSeen)
    }
    guard estimate.entriesSeen % 512 == 0 else { return }
    progress.saw(
      entries: estimate.entriesSeen, passedBytes: estimate.bytesSeen,
      path: directory.key.appending(ByteString(name)).path)
    progress.tick()
  }

  private mutating func isCommitted(_ name: UnsafeRawBufferPointer, _ directory: WalkDirectory) -> Bool {
    guard isPassingOver, let resume = order.position else { return false }
    isPassingOver = CanonicalPosition(directory: directory.key, name: ByteString(name)) <= resume
    return isPassingOver
  }

  /// Whether the inode is met for the first time: it is read once, whatever the number of its names.
  private mutating func isFirstLink(_ attributes: FileAttributes) throws -> Bool {
    guard attributes.isHardLinked else { return true }
    if try links.find(device: attributes.device, inode: attributes.inode) != nil { return false }
    try links.insert(
      device: attributes.device, inode: attributes.inode,
      ContentIdentifier(session: context.session, index: 0),
      SealedContent(size: attributes.size, algorithm: .sha256, digest: Digest256(words: (0, 0, 0, 0))), attributes)
    return true
  }

  private mutating func takeDeletions() throws {
    guard !deletions.isEmpty else { return }
    for deletion in deletions.take() {
      estimate.deleted += 1
      guard order.listsChanges else { continue }
      let directory = DirectoryKey(keyBytes: deletion.directory.bytes)
      try tell(PlannedChange(.deleted, directory.appending(deletion.name).path))
    }
  }

  private mutating func tell(_ change: PlannedChange) throws {
    changes.append(change)
    if changes.bytes.count >= Self.frameByteCount { try sendChanges() }
  }

  private mutating func sendChanges() throws {
    guard !changes.bytes.isEmpty else { return }
    try director.sendFrameBlocking(.changes, changes.bytes)
    changes.removeAll()
  }

  private func stopIfAsked() throws {
    if context.isStopping { throw WalkStopped() }
  }
}
