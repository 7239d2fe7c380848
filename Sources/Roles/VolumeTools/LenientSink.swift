import VaultCatalog
import VaultModel

/// Passes records on to a commit's transaction; one that does not fit costs only itself.
///
/// Where groups are lost, seals come without their entries; where somebody made a volume up, anything comes.
final class LenientSink: AttributeSink {
  private let transaction: any StagingTransaction
  private(set) var refusedCount: UInt64 = 0

  init(_ transaction: any StagingTransaction) { self.transaction = transaction }

  func directory(_ key: DirectoryKey) throws -> Int64 { try transaction.directory(key) }

  func entry(index: UInt64, directory: Int64, _ entry: Entry) throws {
    try counting { try transaction.entry(index: index, directory: directory, entry) }
  }

  func seal(index: UInt64, _ content: SealedContent) throws {
    try counting { try transaction.seal(index: index, content) }
  }

  func deletion(directory: Int64, name: ByteString) throws {
    try counting { try transaction.deletion(directory: directory, name: name) }
  }

  func problem(directory: Int64, name: ByteString, phase: ProblemPhase, errorNumber: Int32) throws {
    try counting {
      try transaction.problem(directory: directory, name: name, phase: phase, errorNumber: errorNumber)
    }
  }

  func extendedAttributes(index: UInt64, group: UInt64) throws {
    try counting { try transaction.extendedAttributes(index: index, group: group) }
  }

  func ownerName(kind: OwnerKind, number: UInt32, name: ByteString) throws {
    try counting { try transaction.ownerName(kind: kind, number: number, name: name) }
  }

  /// A full disk and the like are nobody's record.
  private func counting(_ body: () throws -> Void) throws {
    do { try body() } catch let error as CatalogError where error.kind == .notFound || error.kind == .outOfRange {
      refusedCount += 1
    }
  }
}
