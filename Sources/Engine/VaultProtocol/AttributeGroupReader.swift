import VaultCompression
import VaultModel

/// Feeds the records of attribute groups to a sink, with directory numbers resolved.
///
/// Directory records are repeated after each commit point, so one reader serves one commit.
package struct AttributeGroupReader: ~Copyable {
  private var directories: [UInt64: Int64] = [:]
  private let decoder: GroupDecoder

  private let isLenient: Bool
  /// Records that a lenient reader passed over: their directory was named in a group that is lost.
  package private(set) var skippedCount: UInt64 = 0

  /// - Parameter isLenient: whether a record that cannot be taken costs itself only, where others before it were lost.
  package init(isLenient: Bool = false) throws(CompressionError) {
    decoder = try GroupDecoder()
    self.isLenient = isLenient
  }

  /// Reads one group, header and stored bytes, and hands its records on.
  ///
  /// - Throws: `FormatError` for a group that is damaged or holds what has no place in it, and what the sink throws.
  package mutating func feed(_ group: UnsafeRawBufferPointer, to sink: some AttributeSink) throws {
    let view = try GroupView(decoding: group)
    guard view.header.kind == .attributes else { throw FormatError(.malformed, "attribute group") }
    var reader = RecordReader(try decoder.records(of: view))
    while true {
      do {
        guard let record = try reader.next() else { return }
        try take(record, ofGroup: view.header.number, into: sink)
      } catch let error as FormatError {
        // Behind a record whose length cannot be trusted nothing can be found.
        guard isLenient, error.object != "record" else { throw error }
        skippedCount += 1
      }
    }
  }

  private mutating func take(_ record: Record, ofGroup group: UInt64, into sink: some AttributeSink) throws {
    switch record {
    case .directory(let number, let path):
      directories[number] = nil
      directories[number] = try sink.directory(DirectoryKey(path: ByteString(path)))
    case .entry(let index, let directory, let entry):
      try sink.entry(index: index, directory: try resolve(directory), entry)
    case .seal(let index, let content): try sink.seal(index: index, content)
    case .deletion(let directory, let name):
      try sink.deletion(directory: try resolve(directory), name: name)
    case .problem(let directory, let name, let phase, let errorNumber):
      try sink.problem(directory: try resolve(directory), name: name, phase: phase, errorNumber: errorNumber)
    case .extendedAttributes(let index, _, _, _):
      try sink.extendedAttributes(index: index, group: group)
    case .ownerName(let kind, let number, let name):
      try sink.ownerName(kind: kind, number: number, name: name)
    case .contentData, .job, .jobEnd, .commit, .label, .retention, .replacement:
      throw FormatError(.malformed, "attribute group")
    }
  }

  private func resolve(_ number: UInt64) throws(FormatError) -> Int64 {
    guard let directory = directories[number] else { throw FormatError(.malformed, "attribute group") }
    return directory
  }
}
