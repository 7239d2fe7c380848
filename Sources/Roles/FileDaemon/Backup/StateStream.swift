import VaultFileSet
import VaultModel
import VaultProtocol

/// The tree's latest state as the director streams it, row by row.
struct StateStream: StateSource, ~Copyable {
  private let link: DirectorLink
  private var batch: PooledBatch?
  private var reader: RecordReader?
  private var buffer = StateEntryBuffer()
  private(set) var content = ContentReference.none
  private var hasDirectory = false

  /// - Parameter isEmpty: the job compares with nothing, and nothing is asked for.
  init(link: DirectorLink, isEmpty: Bool) throws {
    self.link = link
    if !isEmpty { try link.openState() }
    isAtEnd = isEmpty
  }

  private var isAtEnd: Bool

  mutating func next() throws -> StateEntry? {
    while !isAtEnd {
      while let record = try reader?.next() {
        switch record {
        case .directory(_, let path):
          buffer.setDirectory(DirectoryKey(path: ByteString(path)))
          hasDirectory = true
        case .entry(_, _, let entry) where hasDirectory:
          content = entry.content
          return buffer.entry(
            name: entry.name, attributes: entry.attributes, mustBeReadAgain: entry.content.mustBeReadAgain)
        default: throw FormatError(.malformed, "state frame")
        }
      }
      batch = try link.nextState()
      reader = batch.map { RecordReader(UnsafeRawBufferPointer($0.bytes)) }
      isAtEnd = batch == nil
    }
    return nil
  }
}
