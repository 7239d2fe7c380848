import Synchronization
import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession

/// Answers the file daemon while a backup or an estimate runs: state, inode questions, progress, and at last the job's end.
/// Blocks its thread.
struct StateServer: ~Copyable {
  private static let rowsPerBatch = 4096

  private let channel: Channel
  private let catalog: any CatalogStore
  private let tree: Tree
  private let baseSequence: UInt64
  /// The job whose inodes are asked for; an estimate has none.
  private let job: JobNumber?
  /// Whether earlier attempts staged entries: their inodes are known too.
  private let isContinued: Bool
  private let onProgress: @Sendable (ControlLine) -> Void
  /// Takes what the file daemon tells; an estimate has none.
  private let relay: (@Sendable (PeerRole, ControlLine) -> Void)?
  /// Takes what an estimate tells: frames of changes, and problems as listing.
  private let onFinding: (@Sendable (FrameKind, [UInt8]) -> Void)?
  private var position: CanonicalPosition?
  private var isAtEnd: Bool
  private var directoryNumber: UInt64 = 0

  init(
    channel: Channel, catalog: any CatalogStore, job: JobDescription, isContinued: Bool,
    relay: (@Sendable (PeerRole, ControlLine) -> Void)? = nil, onProgress: @escaping @Sendable (ControlLine) -> Void
  ) {
    self.relay = relay
    self.channel = channel
    self.catalog = catalog
    tree = job.tree
    baseSequence = job.baseSequence
    self.job = job.number
    self.isContinued = isContinued
    self.onProgress = onProgress
    onFinding = nil
    isAtEnd = job.baseSequence == 0
  }

  /// Serves an estimate against the state of `tree` at a sequence, 0 for none.
  init(
    channel: Channel, catalog: any CatalogStore, tree: Tree, baseSequence: UInt64,
    onProgress: @escaping @Sendable (ControlLine) -> Void,
    onFinding: @escaping @Sendable (FrameKind, [UInt8]) -> Void
  ) {
    self.channel = channel
    self.catalog = catalog
    self.tree = tree
    self.baseSequence = baseSequence
    job = nil
    relay = nil
    isContinued = false
    self.onProgress = onProgress
    self.onFinding = onFinding
    isAtEnd = baseSequence == 0
  }

  /// Serves until the file daemon's job ends.
  ///
  /// - Returns: the file daemon's last line.
  mutating func run() throws -> ControlLine {
    while true {
      let header = try channel.receiveFrameHeader()
      var payload = [UInt8](repeating: 0, count: header.payloadLength)
      try payload.withUnsafeMutableBytes { try channel.receive(into: $0) }
      switch header.kind {
      case .stateRequest: try sendState()
      case .inodeQuestions where job != nil: try answer(payload)
      case .progress: onProgress(try ControlLine(payload: payload))
      case .message where job != nil: relay?(.fileDaemon, try ControlLine(payload: payload))
      case .changes, .listing:
        guard let onFinding else { throw unexpected(header.kind) }
        onFinding(header.kind, payload)
      case .jobEnd: return try ControlLine(payload: payload)
      default: throw unexpected(header.kind)
      }
    }
  }

  private func unexpected(_ kind: FrameKind) -> TransportError {
    TransportError(
      .malformed("a frame of kind \(kind) in \(job == nil ? "an estimate" : "a backup")"), peer: channel.transport.peer)
  }

  private mutating func sendState() throws {
    var writer = RecordWriter(capacity: 1 << 20)
    var directory: DirectoryKey?
    var last: CanonicalPosition?
    var number = directoryNumber
    var isCut = false
    if !isAtEnd {
      let more = try catalog.readState(
        of: tree, sequence: baseSequence, after: position, limit: Self.rowsPerBatch
      ) { row in
        // Very long paths fill a frame before the batch is full: the rest comes with the next.
        if writer.count > FrameHeader.payloadLimit / 2 {
          isCut = true
          return
        }
        if directory != row.directory {
          directory = row.directory
          number += 1
          writer.directory(number: number, path: row.directory.path)
        }
        writer.entry(index: 0, directory: number, row.entry)
        last = CanonicalPosition(directory: row.directory, name: row.entry.name)
      }
      isAtEnd = !more && !isCut
    }
    directoryNumber = number
    position = last ?? position
    answer(writer.isEmpty ? .stateEnd : .state, writer.bytes)
  }

  private func answer(_ payload: [UInt8]) throws {
    var questions: [InodeQuestion] = []
    try payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes, "inode questions frame")
      while !reader.isAtEnd {
        let question = try LocationCodec.question(from: &reader)
        questions.append(
          InodeQuestion(
            device: question.device, inode: question.inode, size: question.size, modified: question.modified))
      }
    }
    var writer = ByteWriter()
    let known =
      baseSequence == 0
      ? questions.map { _ in nil } : try catalog.knownContents(of: tree, questions)
    var staged: [ContentReference?] = questions.map { _ in nil }
    if isContinued, let job { staged = try catalog.stagedContents(of: job, questions) }
    for (content, earlier) in zip(known, staged) { LocationCodec.writeAnswer(earlier ?? content, to: &writer) }
    answer(.inodeAnswers, writer.bytes)
  }

  /// Sends what was asked for. A file daemon that has ended meanwhile needs no answer: its last word is received next, or that it is gone.
  private func answer(_ kind: FrameKind, _ payload: UnsafeRawBufferPointer) {
    try? channel.sendFrameBlocking(kind, payload)
  }
}
