import VaultModel

/// Takes of a job that is not replayed only what entries of others refer to: where lists of extended attributes lie.
final class ReferenceSink: AttributeSink {
  private let sink: LenientSink

  init(_ sink: LenientSink) { self.sink = sink }

  func directory(_ key: DirectoryKey) -> Int64 { 0 }
  func entry(index: UInt64, directory: Int64, _ entry: Entry) {}
  func seal(index: UInt64, _ content: SealedContent) {}
  func deletion(directory: Int64, name: ByteString) {}
  func problem(directory: Int64, name: ByteString, phase: ProblemPhase, errorNumber: Int32) {}
  func ownerName(kind: OwnerKind, number: UInt32, name: ByteString) {}

  func extendedAttributes(index: UInt64, group: UInt64) throws {
    try sink.extendedAttributes(index: index, group: group)
  }
}
