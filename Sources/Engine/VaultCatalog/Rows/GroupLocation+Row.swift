import VaultModel

extension GroupLocation {
  /// The location that a row of nine columns says: number, kind, first entry and offset, volume, file, block, stored and raw
  /// length.
  init(reading row: borrowing some CatalogRow & ~Copyable) throws(CatalogError) {
    guard let kind = UInt8(exactly: try row.integer(1)).flatMap({ GroupKind(rawValue: $0) }) else {
      throw .corrupt("a record group's kind is unknown")
    }
    self.init(
      group: try row.count(0), kind: kind, firstEntry: try row.count(2), firstOffset: try row.count(3),
      volume: try row.identifier(4),
      block: BlockAddress(file: try row.smallCount(5), block: try row.smallCount(6)),
      storedLength: try row.smallCount(7), rawLength: try row.smallCount(8))
  }
}

extension Volume {
  /// The volume that a row of six columns says: UUID, name, status, file and block of its end, when it was labeled.
  init(reading row: borrowing some CatalogRow & ~Copyable) throws(CatalogError) {
    guard let status = VolumeStatus(rawValue: try row.text(2)) else {
      throw .corrupt("a volume's status is unknown")
    }
    self.init(
      identifier: try row.identifier(0), name: try row.text(1), status: status,
      end: BlockAddress(file: try row.smallCount(3), block: try row.smallCount(4)),
      labeled: Timestamp(nanoseconds: try row.integer(5)))
  }
}

extension FileProblem {
  /// The problem that a row of four columns says: directory key, name, phase, error number.
  init(reading row: borrowing some CatalogRow & ~Copyable, of job: JobNumber) throws(CatalogError) {
    guard let phase = UInt8(exactly: try row.integer(2)).flatMap({ ProblemPhase(rawValue: $0) }),
      let errorNumber = Int32(exactly: try row.integer(3))
    else { throw .corrupt("a problem of job \(job) is damaged") }
    self.init(
      directory: DirectoryKey(keyBytes: Array(try row.bytes(0))), name: ByteString(try row.bytes(1)), phase: phase,
      errorNumber: errorNumber)
  }
}
