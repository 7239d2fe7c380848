import VaultModel
import VaultProtocol

/// A file's content in the pieces in which it is sent, each one content-data record: all of it, or what is no hole, cut at the
/// multiples of what a record holds.
package struct ContentPieces {
  private let size: UInt64
  private var position: UInt64 = 0
  /// Where the data ends that `position` lies in.
  private var dataEnd: UInt64

  /// The algorithm that the content is digested by says whether holes are left out.
  package init(of file: borrowing FileReader, _ algorithm: DigestAlgorithm) {
    size = file.attributes.size
    dataEnd = algorithm == .sha256OfExtents ? 0 : size
  }

  /// The next piece; nil behind the last.
  ///
  /// - Throws: phase `.read`.
  package mutating func next(in file: borrowing FileReader) throws(FileReadError) -> Range<UInt64>? {
    if position >= dataEnd {
      guard position < size, let data = try file.data(from: position) else { return nil }
      position = data.lowerBound
      dataEnd = data.upperBound
    }
    let limit = UInt64(GroupLimits.contentDataLimit)
    let end = min(dataEnd, (position / limit + 1) * limit)
    defer { position = end }
    return position..<end
  }
}
