import VaultModel

/// Fills a data group's raw bytes in place: files are read straight behind their record's header.
///
/// A value over memory that somebody else owns and keeps alive; it allocates nothing.
package struct DataGroupBuilder {
  private let memory: UnsafeMutableRawBufferPointer
  package private(set) var count = 0
  package private(set) var recordCount: UInt32 = 0
  package private(set) var firstEntry: UInt64 = 0
  package private(set) var firstOffset: UInt64 = 0

  /// - Bounds: `memory` has at least `GroupLimits.rawLimit` bytes.
  package init(_ memory: UnsafeMutableRawBufferPointer) {
    self.memory = UnsafeMutableRawBufferPointer(rebasing: memory[..<min(memory.count, GroupLimits.rawLimit)])
  }

  package var isEmpty: Bool { recordCount == 0 }
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

  /// Content bytes that still fit as one record.
  package var room: Int { max(0, memory.count - count - GroupLimits.contentDataOverhead) }

  /// Where the next record's content goes; `append` says how much came.
  package var nextContent: UnsafeMutableRawBufferPointer {
    let start = min(memory.count, count + GroupLimits.contentDataOverhead)
    return UnsafeMutableRawBufferPointer(rebasing: memory[start...])
  }

  /// Completes the record whose content was put at `nextContent`.
  ///
  /// - Bounds: `byteCount` from 1 to `room`; nothing is added otherwise.
  package mutating func append(index: UInt64, offset: UInt64, byteCount: Int) {
    guard byteCount > 0, byteCount <= room else { return }
    if recordCount == 0 {
      firstEntry = index
      firstOffset = offset
    }
    func put<Integer: FixedWidthInteger>(_ value: Integer, _ position: Int) {
      memory.storeBytes(of: value.littleEndian, toByteOffset: count + position, as: Integer.self)
    }
    put(RecordKind.contentData.rawValue, 0)
    put(RecordHeader.criticalFlag, 2)
    put(UInt32(16 + byteCount), 4)
    put(index, 8)
    put(offset, 16)
    count += GroupLimits.contentDataOverhead + byteCount
    recordCount += 1
  }

  /// A place to come back to when a file turns out unreadable.
  package struct Mark {
    fileprivate let count: Int
    fileprivate let recordCount: UInt32
  }

  package var mark: Mark { Mark(count: count, recordCount: recordCount) }

  /// Forgets everything after `mark`.
  package mutating func rewind(to mark: Mark) {
    count = mark.count
    recordCount = mark.recordCount
  }
}
