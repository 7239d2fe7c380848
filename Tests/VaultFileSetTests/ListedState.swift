import VaultFileSet
import VaultModel

/// A state in memory.
struct ListedState: StateSource, ~Copyable {
  struct Row {
    var position: CanonicalPosition
    var attributes: FileAttributes
    var content: ContentReference
  }

  private let rows: [Row]
  private var index = 0
  private var buffer = StateEntryBuffer()

  init(rows: [Row]) { self.rows = rows }

  mutating func next() throws -> StateEntry? {
    guard index < rows.count else { return nil }
    let row = rows[index]
    index += 1
    buffer.setDirectory(row.position.directory)
    return buffer.entry(
      name: row.position.name, attributes: row.attributes, mustBeReadAgain: row.content.mustBeReadAgain)
  }

  var content: ContentReference { rows[index - 1].content }
}

struct RecordedDeletions: DeletionVisitor {
  var positions: [CanonicalPosition] = []

  mutating func deleted(name: UnsafeRawBufferPointer, in directory: UnsafeRawBufferPointer) {
    positions.append(
      CanonicalPosition(directory: DirectoryKey(keyBytes: Array(directory)), name: ByteString(name)))
  }
}

extension ChangeDetector where Source: ~Copyable {
  mutating func verdict(
    _ name: ByteString, _ attributes: FileAttributes, _ deletions: inout RecordedDeletions
  ) throws -> ChangeVerdict {
    try name.bytes.withUnsafeBytes { try verdict(name: $0, attributes: attributes, &deletions) }
  }

  mutating func keep(_ name: ByteString, _ deletions: inout RecordedDeletions) throws {
    try name.bytes.withUnsafeBytes { try keep(name: $0, &deletions) }
  }
}
