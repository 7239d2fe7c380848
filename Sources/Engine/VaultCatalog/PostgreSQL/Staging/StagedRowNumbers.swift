/// Puts the catalog's numbers into gathered rows, in place of those that were good inside the commit.
struct StagedRowNumbers {
  var job: Int64
  /// By the low half of a gathered number.
  var directories: [Int64]
  /// By a place, from 1.
  var sessions: [Int64]

  /// The rows' fields are those of `PostgreSQLStaging.rows`; each number keeps its length.
  func write(into rows: UnsafeMutableRawBufferPointer) throws(CatalogError) {
    var offset = 0
    while offset < rows.count {
      offset += 2
      for field in 0..<12 {
        let length = Int(Int32(bigEndian: rows.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
        offset += 4
        guard length >= 0 else { continue }
        switch field {
        case 0: rows.storeBytes(of: job.bigEndian, toByteOffset: offset, as: Int64.self)
        case 1: try replace(in: rows, at: offset) { directories[at: Int($0 & 0xffff_ffff)] }
        case 4, 10: try replace(in: rows, at: offset) { sessions[at: Int($0) - 1] }
        default: break
        }
        offset += length
      }
    }
  }

  private func replace(
    in rows: UnsafeMutableRawBufferPointer, at offset: Int, _ number: (Int64) -> Int64?
  ) throws(CatalogError) {
    let old = Int64(bigEndian: rows.loadUnaligned(fromByteOffset: offset, as: Int64.self))
    guard let new = number(old) else { throw .corrupt("a directory or session has no number") }
    rows.storeBytes(of: new.bigEndian, toByteOffset: offset, as: Int64.self)
  }
}

extension Array {
  /// The element at an index; nil past the end.
  fileprivate subscript(at index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
