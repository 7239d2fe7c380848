import Glibc
import SystemPackage
import Testing
import VaultDevice
import VaultModel
import VaultProtocol

/// Holds the byte tables of vault-volume(5) against what the code writes.
///
/// Every table is turned into bytes, field by field, with the values of a sample; they must be the bytes that the code wrote.
@Suite struct ManualTests {
  struct Row: Equatable {
    var offset: Int?
    var size: Int?
    var name: String
  }

  /// The tables of the page by their headings.
  static func tables() throws -> [String: [Row]] {
    let page = try String(decoding: contents(of: manualPath), as: UTF8.self)
    var tables: [String: [Row]] = [:]
    var heading = ""
    var isByteTable = false
    for line in page.split(separator: "\n") {
      if line.hasPrefix(".Ss ") { heading = String(line.dropFirst(4)) }
      if line.hasPrefix(".El") { isByteTable = false }
      if line.hasPrefix(".It Sy Offset Ta Sy Size Ta Sy Field") {
        isByteTable = true
      } else if isByteTable, line.hasPrefix(".It ") {
        let cells = line.dropFirst(4).split(separator: "Ta", maxSplits: 3).map { trimmed($0) }
        if line.hasPrefix(".It Ta ") {
          tables[heading, default: []].append(Row(offset: nil, size: Int(cells[0]), name: cells[1]))
        } else {
          tables[heading, default: []].append(Row(offset: Int(cells[0]), size: Int(cells[1]), name: cells[2]))
        }
      }
    }
    return tables
  }

  private static func trimmed(_ text: Substring) -> String {
    text.split(separator: " ").joined(separator: " ")
  }

  private static var manualPath: String {
    let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/\(here)/man/vault-volume.5"
  }

  private static func contents(of path: String) throws -> [UInt8] {
    let descriptor = try FileDescriptor.open(FilePath(path), .readOnly)
    return try descriptor.closeAfter {
      var bytes: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 65_536)
      while true {
        let count = try chunk.withUnsafeMutableBytes { try descriptor.read(into: $0) }
        if count == 0 { return bytes }
        bytes += chunk[..<count]
      }
    }
  }

  struct Sample: CustomTestStringConvertible, Sendable {
    let heading: String
    /// What the code writes.
    let bytes: [UInt8]
    /// The value of each field, in hexadecimal; zero fields need none.
    let fields: [String: String]
    var testDescription: String { heading }
  }

  @Test(arguments: ManualSamples.all) func tableAndCodeAgree(_ sample: Sample) throws {
    let rows = try #require(try Self.tables()[sample.heading], "no table below \(sample.heading)")
    var built: [UInt8] = []
    for row in rows {
      if let offset = row.offset { #expect(offset == built.count, "the offset of \(row.name)") }
      let value =
        row.name == "zero"
        ? [UInt8](repeating: 0, count: row.size ?? 0)
        : GoldenVolume.bytes(try #require(sample.fields[row.name], "no sample of \(row.name)"))
      if let size = row.size { #expect(value.count == size, "the size of \(row.name)") }
      built += value
    }
    #expect(built == sample.bytes)
    let named = Set(rows.map(\.name)).subtracting(["zero"])
    #expect(named == Set(sample.fields.keys), "a field of the sample is not in the table")
  }

  @Test func everyTableHasASample() throws {
    #expect(Set(try Self.tables().keys) == Set(ManualSamples.all.map(\.heading)))
  }

  @Test func limitsAreTheCodes() throws {
    let page = try String(decoding: Self.contents(of: Self.manualPath), as: UTF8.self)
    func grouped(_ value: Int) -> String {
      let digits = Array(String(value))
      return digits.indices.map { index in
        (index > 0 && (digits.count - index) % 3 == 0 ? "," : "") + String(digits[index])
      }.joined()
    }
    for limit in [
      GroupLimits.rawLimit, GroupLimits.storedLimit, GroupLimits.contentDataLimit,
      BlockHeader.maximumBlockSizes.upperBound, DeviceParameters(repository: .none).maximumBlockSize,
    ] {
      #expect(page.contains(grouped(limit)), "\(grouped(limit))")
    }
    #expect(page.contains("header of \(BlockHeader.byteCount) bytes"))
    #expect(page.contains("header of \(GroupHeader.byteCount) bytes"))
    #expect(page.contains("multiple of \(BlockHeader.alignment)"))
    #expect(BlockHeader.formatVersion == 0)
    #expect(GroupHeader.formatVersion == 0)
  }

  @Test func recordKindsAreTheCodes() throws {
    let page = try String(decoding: Self.contents(of: Self.manualPath), as: UTF8.self)
    var kinds: [Int: Bool] = [:]
    var isKindTable = false
    for line in page.split(separator: "\n") {
      if line.hasPrefix(".El") { isKindTable = false }
      if isKindTable, let number = Int(line.split(separator: " ")[1]) { kinds[number] = line.contains("Ta yes") }
      if line.hasPrefix(".It Sy Kind Ta Sy Record") { isKindTable = true }
    }
    #expect(Set(kinds.keys) == Set(RecordKind.allCases.map { Int($0.rawValue) }))
    for sample in ManualSamples.records {
      let kind = Int(sample[0])
      #expect(kinds[kind] == (sample[2] & 1 == 1), "whether kind \(kind) is critical")
    }
  }
}
