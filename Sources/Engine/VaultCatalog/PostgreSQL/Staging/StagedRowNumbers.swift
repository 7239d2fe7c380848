/// Puts the catalog's numbers into gathered rows, in place of those that were good inside the commit.
struct StagedRowNumbers {
  /// Which rows go where.
  enum Rows {
    /// All, to `stage`.
    case all
    /// Those that are no entries, to `stage`.
    case withoutEntries
    /// The entries, to `entry_current`: the fields of the job and of the state are the tree and the sequence there.
    case entries(tree: Int64, sequence: Int64)
  }

  var job: Int64
  /// By the low half of a gathered number.
  var directories: [Int64]
  /// By a place, from 1.
  var sessions: [Int64]
  var rows: Rows

  private static let stateField = 3

  /// The rows' fields are those of `PostgreSQLStaging.rows`; each number keeps its length.
  ///
  /// - Returns: how many bytes the rows take that are to be sent; they are the first.
  func write(into bytes: UnsafeMutableRawBufferPointer) throws(CatalogError) -> Int {
    var (offset, kept) = (0, 0)
    while offset < bytes.count {
      let start = offset
      var isWanted = true
      offset += 2
      for field in 0..<12 {
        let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
        offset += 4
        guard length >= 0 else { continue }
        switch field {
        case 0: bytes.storeBytes(of: first.bigEndian, toByteOffset: offset, as: Int64.self)
        case 1: try replace(in: bytes, at: offset) { directories[at: Int($0 & 0xffff_ffff)] }
        case Self.stateField: isWanted = writeState(into: bytes, at: offset)
        case 4, 10: try replace(in: bytes, at: offset) { sessions[at: Int($0) - 1] }
        default: break
        }
        offset += length
      }
      guard isWanted else { continue }
      if kept < start, let base = bytes.baseAddress {
        (base + kept).copyMemory(from: base + start, byteCount: offset - start)
      }
      kept += offset - start
    }
    return kept
  }

  private var first: Int64 {
    if case .entries(let tree, _) = rows { tree } else { job }
  }

  /// Whether the row with a state is wanted; of one that is, the field says what the table has there.
  private func writeState(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
    let isEntry = Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self)) == StageState.entry
    switch rows {
    case .all: return true
    case .withoutEntries: return !isEntry
    case .entries(_, let sequence):
      bytes.storeBytes(of: sequence.bigEndian, toByteOffset: offset, as: Int64.self)
      return isEntry
    }
  }

  private func replace(
    in bytes: UnsafeMutableRawBufferPointer, at offset: Int, _ number: (Int64) -> Int64?
  ) throws(CatalogError) {
    let old = Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self))
    guard let new = number(old) else { throw .corrupt("a directory or session has no number") }
    bytes.storeBytes(of: new.bigEndian, toByteOffset: offset, as: Int64.self)
  }
}

extension Array {
  /// The element at an index; nil past the end.
  fileprivate subscript(at index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
