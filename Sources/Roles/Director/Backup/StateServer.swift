import Synchronization
import VaultCatalog
import VaultModel
import VaultProtocol
import VaultSession

/// Answers the file daemon while a backup runs: state, inode questions, progress, and at last the job's end. Blocks its thread.
struct StateServer: ~Copyable {
  private static let rowsPerBatch = 4096

  private let channel: Channel
  private let catalog: any CatalogStore
  private let job: JobDescription
  /// Whether earlier attempts staged entries: their inodes are known too.
  private let isContinued: Bool
  private let onProgress: @Sendable (ControlLine) -> Void
  private var position: CanonicalPosition?
  private var isAtEnd: Bool
  private var directoryNumber: UInt64 = 0

  init(
    channel: Channel, catalog: any CatalogStore, job: JobDescription, isContinued: Bool,
    onProgress: @escaping @Sendable (ControlLine) -> Void
  ) {
    self.channel = channel
    self.catalog = catalog
    self.job = job
    self.isContinued = isContinued
    self.onProgress = onProgress
    isAtEnd = job.baseSequence == 0
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
      case .inodeQuestions: try answer(payload)
      case .progress: onProgress(try ControlLine(payload: payload))
      case .jobEnd: return try ControlLine(payload: payload)
      default:
        throw TransportError(.malformed("a frame of kind \(header.kind) in a backup"), peer: channel.transport.peer)
      }
    }
  }

  private mutating func sendState() throws {
    var writer = RecordWriter(capacity: 1 << 20)
    var directory: DirectoryKey?
    var last: CanonicalPosition?
    var number = directoryNumber
    var isCut = false
    if !isAtEnd {
      let more = try catalog.readState(
        of: job.tree, sequence: job.baseSequence, after: position, limit: Self.rowsPerBatch
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
      job.baseSequence == 0
      ? questions.map { _ in nil } : try catalog.knownContents(of: job.tree, questions)
    let staged =
      isContinued
      ? try catalog.stagedContents(of: job.number, questions) : questions.map { _ in nil }
    for (content, earlier) in zip(known, staged) { LocationCodec.writeAnswer(earlier ?? content, to: &writer) }
    answer(.inodeAnswers, writer.bytes)
  }

  /// Sends what was asked for. A file daemon that has ended meanwhile needs no answer: its last word is received next, or that it is gone.
  private func answer(_ kind: FrameKind, _ payload: UnsafeRawBufferPointer) {
    try? channel.sendFrameBlocking(kind, payload)
  }
}
