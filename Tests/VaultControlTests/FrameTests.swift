import Testing
import VaultModel
import VaultProtocol

/// The five bytes before every payload, and the kinds.
@Suite struct FrameTests {
  @Test func theHeaderIsLengthAndKind() throws {
    var bytes = [UInt8](repeating: 0xee, count: 5)
    bytes.withUnsafeMutableBytes { FrameHeader(kind: .jobEnd, payloadLength: 0x1f0203).encode(into: $0) }
    #expect(bytes == [0x03, 0x02, 0x1f, 0x00, 39])
    #expect(
      try bytes.withUnsafeBytes { try FrameHeader(decoding: $0) } == FrameHeader(kind: .jobEnd, payloadLength: 0x1f0203)
    )
  }

  @Test func theKindsKeepTheirNumbers() {
    let known: [(FrameKind, UInt8)] = [
      (.streamHeader, 1), (.recordGroup, 2), (.endOfData, 3), (.commitDurable, 4), (.streamData, 5),
      (.attributeGroup, 16),
      (.groupLocations, 17), (.commit, 18), (.endOfCommits, 19), (.commitCatalogued, 20), (.jobRecord, 21),
      (.paths, 22), (.patterns, 23), (.neededSessions, 24), (.neededGroups, 25), (.movedGroups, 26),
      (.stateRequest, 32), (.state, 33), (.stateEnd, 34), (.inodeQuestions, 35), (.inodeAnswers, 36), (.progress, 37),
      (.cancel, 38), (.jobEnd, 39), (.changes, 40), (.message, 41), (.planRequest, 48), (.plan, 49), (.planEnd, 50),
      (.restoreProblem, 51),
      (.listing, 52),
      (.listingEnd, 53), (.planLocations, 54), (.restoredBytes, 55), (.storageRoute, 56),
    ]
    for (kind, number) in known { #expect(kind.rawValue == number) }
    #expect(known.count == FrameKind.allCases.count)
  }

  @Test func everyOtherHeaderIsRefused() throws {
    for number in UInt8.min...UInt8.max {
      let header: [UInt8] = [0, 0, 0x20, 0, number]
      let decoded = try? header.withUnsafeBytes { try FrameHeader(decoding: $0) }
      #expect(decoded?.kind == FrameKind(rawValue: number))
    }
    for header: [UInt8] in [[1, 0, 0x20, 0, 2], [0, 0, 0, 0x80, 2], [0, 0, 0, 2], []] {
      #expect(throws: FormatError.self) { try header.withUnsafeBytes { try FrameHeader(decoding: $0) } }
    }
  }
}
