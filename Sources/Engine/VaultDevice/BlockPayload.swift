import VaultModel
import VaultProtocol

/// A verified block, lent from the buffer it was read into.
package struct BlockPayload {
  package let header: BlockHeader
  package let address: BlockAddress
  /// What follows the header: whole groups, or records.
  package let bytes: UnsafeRawBufferPointer

  /// Where the next block of the volume begins, if there is one.
  package var nextBlock: BlockAddress {
    BlockAddress(byteOffset: address.byteOffset + UInt64(header.paddedByteCount))
  }

  /// The block's groups; a block of another kind has none.
  package var groups: GroupSequence {
    GroupSequence(header.kind == .groups ? bytes : UnsafeRawBufferPointer(start: nil, count: 0))
  }

  /// The group with a number, its stored bytes not yet verified.
  package func group(_ number: UInt64) throws(FormatError) -> GroupView? {
    var groups = self.groups
    while let group = try groups.next() {
      if group.header.number == number, group.header.kind != .commit { return group }
    }
    return nil
  }
}

/// The whole groups of a block's payload, one after another.
package struct GroupSequence {
  private var rest: UnsafeRawBufferPointer

  /// Walks `bytes`, which outlive the sequence and what it lends.
  package init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  /// The next group; nil at the end.
  package mutating func next() throws(FormatError) -> GroupView? {
    guard !rest.isEmpty else { return nil }
    let group = try GroupView(decoding: rest)
    rest = UnsafeRawBufferPointer(rebasing: rest[group.header.totalByteCount...])
    return group
  }
}
