import Testing
import VaultModel
import VaultProtocol

@Suite struct RecordGoldenTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let golden: [UInt8]
    let write: @Sendable (inout RecordWriter) -> Void
    var testDescription: String { name }
  }

  static let cases = [
    Case(name: "directory", golden: Golden.directory) { $0.directory(number: 3, path: "/etc") },
    Case(name: "stored entry", golden: Golden.storedEntry) { $0.entry(index: 7, directory: 3, Sample.storedEntry) },
    Case(name: "own entry", golden: Golden.ownEntry) { $0.entry(index: 7, directory: 3, Sample.ownEntry) },
    Case(name: "extents entry", golden: Golden.extentsEntry) { $0.entry(index: 7, directory: 3, Sample.extentsEntry) },
    Case(name: "link entry", golden: Golden.linkEntry) { $0.entry(index: 8, directory: 3, Sample.linkEntry) },
    Case(name: "attributed entry", golden: Golden.attributedEntry) {
      $0.entry(index: 7, directory: 3, Sample.attributedEntry)
    },
    Case(name: "extended attributes", golden: Golden.extendedAttributes) { writer in
      let list = Golden.extendedList
      list[2...].withUnsafeBytes { writer.extendedAttributes(index: 7, offset: 2, total: UInt32(list.count), $0) }
    },
    Case(name: "owner name", golden: Golden.ownerName) { $0.ownerName(.group, number: 1000, name: "staff") },
    Case(name: "content data", golden: Golden.contentData) { writer in
      Array("hello".utf8).withUnsafeBytes { writer.contentData(index: 7, offset: 4096, $0) }
    },
    Case(name: "seal", golden: Golden.seal) {
      $0.seal(index: 7, Sample.sealed(.sha256, [.changedWhileReading, .racy]))
    },
    Case(name: "deletion", golden: Golden.deletion) { $0.deletion(directory: 3, name: "old") },
    Case(name: "problem", golden: Golden.problem) {
      $0.problem(directory: 3, name: "gone", phase: .open, errorNumber: 13)
    },
    Case(name: "job", golden: Golden.job) { $0.job(Sample.job) },
    Case(name: "job end", golden: Golden.jobEnd) { $0.jobEnd(Sample.outcome) },
    Case(name: "commit", golden: Golden.commit) { $0.commit(Sample.commit) },
    Case(name: "retention", golden: Golden.retention) { $0.retention(Sample.retention) },
    Case(name: "label", golden: Golden.label) { $0.label(Sample.label) },
    Case(name: "replacing label", golden: Golden.replacingLabel) { $0.label(Sample.replacingLabel) },
    Case(name: "replacement", golden: Golden.replacement) { $0.replacement(of: Sample.replaced) },
  ]

  @Test(arguments: cases) func writesGoldenBytes(_ sample: Case) {
    #expect(written(sample.write) == sample.golden)
  }

  @Test(arguments: cases) func readsGoldenBytes(_ sample: Case) throws {
    #expect(try rewritten(sample.golden) == sample.golden)
  }

  @Test(arguments: cases) func refusesEveryTruncation(_ sample: Case) {
    for count in 1..<sample.golden.count {
      #expect(refusal(Array(sample.golden[..<count])) == .truncated, "the first \(count) bytes")
    }
  }

  @Test func decodesValues() throws {
    let entries = [
      Golden.storedEntry, Golden.ownEntry, Golden.extentsEntry, Golden.linkEntry, Golden.attributedEntry,
    ]
    let expected = [
      Sample.storedEntry, Sample.ownEntry, Sample.extentsEntry, Sample.linkEntry, Sample.attributedEntry,
    ]
    for (bytes, value) in zip(entries, expected) {
      try bytes.withUnsafeBytes { bytes in
        var reader = RecordReader(bytes)
        guard case .entry(let index, let directory, let entry)? = try reader.next() else {
          Issue.record("not an entry")
          return
        }
        #expect(index == (value == Sample.linkEntry ? 8 : 7))
        #expect(directory == 3)
        #expect(entry == value)
        #expect(try reader.next() == nil as Record?)
      }
    }
    try Golden.job.withUnsafeBytes { bytes in
      var reader = RecordReader(bytes)
      guard case .job(let job)? = try reader.next() else {
        Issue.record("not a job")
        return
      }
      #expect(job == Sample.job)
    }
  }

  @Test func skipsUnknownOtherAndRefusesUnknownCritical() throws {
    #expect(try rewritten(Golden.unknownOther) == Golden.deletion)
    #expect(refusal(Golden.unknownCritical) == .unknownCritical(99))
  }
}

/// Records have no equality: only their absence is compared.
private func == (left: Record?, right: Record?) -> Bool {
  switch (left, right) {
  case (nil, nil): true
  default: false
  }
}
