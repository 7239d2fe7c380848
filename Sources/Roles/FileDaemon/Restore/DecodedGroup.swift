import VaultProtocol
import VaultSystem

/// A group's records as they were before they were compressed, with the memory that they lie in.
struct DecodedGroup: @unchecked Sendable {
  // The memory is written before the group is made, and only read from then on.
  private let memory: PooledBuffer
  /// Inside the memory, which keeps them.
  private let records: UnsafeRawBufferPointer

  /// Decodes a fetched group into a buffer of `rooms`, or leaves it in its block if it is not compressed.
  ///
  /// - Bounds: the buffers of `rooms` have `GroupLimits.rawLimit` bytes.
  /// - Throws: `FormatError`, or `FileDaemonError` when there is no memory.
  init(_ fetched: FetchedGroup, _ decoder: borrowing GroupDecoder, _ rooms: BufferPool) throws {
    let group = try GroupView(decoding: UnsafeRawBufferPointer(rebasing: fetched.block.used[fetched.range]))
    if group.header.codec == .none {
      memory = fetched.block
    } else {
      guard let room = rooms.take() else { throw FileDaemonError(reason: "there is no memory for another group") }
      memory = room
    }
    records = try decoder.records(of: group, into: memory.bytes)
  }

  /// Hands the pieces of one content to `body` in their order.
  ///
  /// - Parameter index: of the content in its session.
  /// - Throws: `FormatError` where the group is not well formed, and what `body` throws.
  func forEachPiece(of index: UInt64, _ body: (UnsafeRawBufferPointer, UInt64) throws -> Void) throws {
    try withExtendedLifetime(memory) {
      var reader = RecordReader(records)
      while let record = try reader.next() {
        if case .contentData(index, let offset, let bytes) = record { try body(bytes, offset) }
      }
    }
  }
}
