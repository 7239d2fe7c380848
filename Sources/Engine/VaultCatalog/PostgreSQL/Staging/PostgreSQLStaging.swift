import Synchronization
import VaultModel

/// What one commit adds, gathered before its transaction begins.
///
/// The caller's rows come from a storage daemon and cannot be asked for twice; gathered, they can be sent to a server
/// again that was away in between, and no transaction waits for the network.
final class PostgreSQLStaging: StagingTransaction {
  /// Rows, or seals for rows that are staged already, between two places in the order of their coming.
  struct Segment {
    var isSeals: Bool
    var first: Int64
  }

  /// A row of `rows` that carries a seal: its `attributes` are what a blob gets appended, `content_index` whose.
  static let seal: Int64 = 4
  /// What an index of PostgreSQL's can hold; file systems end at 255.
  static let nameLimit = 2048

  private static let serials = Atomic<Int64>(1)

  private let job: JobRow
  private let serial: Int64
  private var pending = PendingEntries()
  private var isOpen = true
  private var lastDirectory: (key: DirectoryKey, number: DirectoryNumber)?
  private var lateSeals: Set<UInt64> = []

  /// (handle, key)
  let directories = RowSpool()
  /// (ordinal, directory, name, state, content session, content index, device, inode, attributes, extents, extended
  /// session, extended index); sessions are places in `sessions`, from 1.
  let rows = RowSpool()
  private(set) var segments: [Segment] = []
  private(set) var sessions: [UniqueIdentifier] = []
  private var sessionPlaces: [UniqueIdentifier: Int64] = [:]
  /// (ordinal, directory, name, phase, error number)
  let problems = RowSpool()
  /// (entry, group)
  let lists = RowSpool()
  /// (ordinal, kind, number, name)
  let owners = RowSpool()
  /// (ordinal, group, kind, first entry, first offset, raw length, volume, file, block, stored length)
  let locations = RowSpool()
  private(set) var nextEntry: UInt64

  init(job: JobRow) {
    self.job = job
    nextEntry = job.nextEntry
    serial = Self.serials.wrappingAdd(1, ordering: .relaxed).oldValue & 0x3fff_ffff
    _ = place(of: job.record.description.session)
  }

  /// Writes what still waits; nothing is taken after.
  func finish() throws(CatalogError) {
    try flush()
    isOpen = false
  }

  /// Refuses everything from now on.
  func abandon() { isOpen = false }

  // MARK: Entries

  /// The number is good for this commit only: the high half is the commit's, the low one the directory's place.
  func directory(_ key: DirectoryKey) throws(CatalogError) -> DirectoryNumber {
    try checkOpen()
    if let lastDirectory, lastDirectory.key == key { return lastDirectory.number }
    guard directories.rowCount < Int64(UInt32.max) else {
      throw CatalogError(.outOfRange, "a commit has too many directories")
    }
    let number = (serial << 32) | directories.rowCount
    try directories.beginRow(fieldCount: 2)
    directories.append(number)
    directories.append(key.bytes.bytes)
    lastDirectory = (key, number)
    return number
  }

  func entry(index: UInt64, directory: DirectoryNumber, _ entry: Entry) throws(CatalogError) {
    try check(directory)
    try check(entry.name)
    guard index < UInt64(Int64.max) else { throw CatalogError(.outOfRange, "the entry index \(index) is too large") }
    nextEntry = max(nextEntry, index + 1)
    if case .own = entry.content, pending.mustFlush(before: index) { try flush() }
    let start = pending.bytes.count
    entry.name.bytes.withUnsafeBytes { pending.bytes.append($0) }
    let name = start..<pending.bytes.count
    EntryCodec.append(entry, to: &pending.bytes)
    let attributes = entry.attributes
    let extended = try columns(entry.extended)
    if case .own = entry.content {
      pending.append(
        PendingEntries.Item(
          index: index, directory: directory, name: name, attributes: name.upperBound..<pending.bytes.count,
          device: attributes.device, inode: attributes.inode, extended: extended))
      return
    }
    defer { pending.bytes.truncate(to: start) }
    var row = Row(
      directory: directory, name: name, state: StageState.entry, device: attributes.device, inode: attributes.inode,
      extended: extended)
    switch entry.content {
    case .none, .own: break
    case .stored(let identifier, let seal):
      EntryCodec.appendSeal(seal, toBlobAt: name.upperBound, in: &pending.bytes)
      row.session = place(of: identifier.session)
      row.content = try ordered(identifier.index)
    case .extents(let pieces, let seal):
      EntryCodec.appendSeal(seal, toBlobAt: name.upperBound, in: &pending.bytes)
      if let piece = pieces.first { row.session = place(of: piece.session) }
      let blob = pending.bytes.count
      ExtentCodec.append(pieces, to: &pending.bytes)
      row.extents = blob..<pending.bytes.count
    }
    row.attributes = name.upperBound..<(row.extents?.lowerBound ?? pending.bytes.count)
    try write(row)
  }

  func seal(index: UInt64, _ content: SealedContent) throws(CatalogError) {
    try checkOpen()
    guard let position = pending.position(of: index) else { return try sealStaged(index: index, content) }
    let item = pending.items[position]
    let start = pending.bytes.count
    pending.bytes.append(copyOf: item.attributes)
    EntryCodec.appendSeal(content, toBlobAt: start, in: &pending.bytes)
    try write(
      Row(
        directory: item.directory, name: item.name, state: StageState.entry, session: 1, content: ordered(index),
        device: item.device, inode: item.inode, attributes: start..<pending.bytes.count, extended: item.extended))
    pending.bytes.truncate(to: start)
    pending.written(position)
  }

  func deletion(directory: DirectoryNumber, name: ByteString) throws(CatalogError) {
    try check(directory)
    try check(name)
    let start = pending.bytes.count
    defer { pending.bytes.truncate(to: start) }
    name.bytes.withUnsafeBytes { pending.bytes.append($0) }
    let end = pending.bytes.count
    try write(Row(directory: directory, name: start..<end, state: StageState.deletion, attributes: end..<end))
  }

  // MARK: What else a commit tells

  func problem(
    directory: DirectoryNumber, name: ByteString, phase: ProblemPhase, errorNumber: Int32
  ) throws(CatalogError) {
    try check(directory)
    let ordinal = problems.rowCount
    try problems.beginRow(fieldCount: 5)
    problems.append(ordinal)
    problems.append(directory)
    problems.append(name.bytes)
    problems.append(Int64(phase.rawValue))
    problems.append(Int64(errorNumber))
  }

  func extendedAttributes(index: UInt64, group: UInt64) throws(CatalogError) {
    try checkOpen()
    let (entry, group) = (try ordered(index), try ordered(group))
    try lists.beginRow(fieldCount: 2)
    lists.append(entry)
    lists.append(group)
  }

  func ownerName(kind: OwnerKind, number: UInt32, name: ByteString) throws(CatalogError) {
    try checkOpen()
    let ordinal = owners.rowCount
    try owners.beginRow(fieldCount: 4)
    owners.append(ordinal)
    owners.append(Int64(kind.rawValue))
    owners.append(Int64(number))
    owners.append(name.bytes)
  }

  func location(_ location: GroupLocation) throws(CatalogError) {
    try checkOpen()
    let ordinal = locations.rowCount
    let group = try ordered(location.group)
    let (entry, offset) = (try ordered(location.firstEntry), try ordered(location.firstOffset))
    try locations.beginRow(fieldCount: 10)
    locations.append(ordinal)
    locations.append(group)
    locations.append(Int64(location.kind.rawValue))
    locations.append(entry)
    locations.append(offset)
    locations.append(Int64(location.rawLength))
    location.volume.withBytes { locations.append($0) }
    locations.append(Int64(location.block.file))
    locations.append(Int64(location.block.block))
    locations.append(Int64(location.storedLength))
  }

  // MARK: Rows

  /// A row of `rows`; ranges are of `pending.bytes`.
  private struct Row {
    var directory: DirectoryNumber
    var name: Range<Int>
    var state: Int64
    var session: Int64?
    var content: Int64?
    var device: UInt64 = 0
    var inode: UInt64 = 0
    var attributes: Range<Int> = 0..<0
    var extents: Range<Int>?
    var extended: ExtendedColumns?
  }

  private func write(_ row: Row) throws(CatalogError) {
    let isSeals = row.state == Self.seal
    let ordinal = rows.rowCount
    if segments.last?.isSeals != isSeals {
      segments.append(Segment(isSeals: isSeals, first: ordinal))
      lateSeals = []
    }
    try rows.beginRow(fieldCount: 12)
    rows.append(ordinal)
    rows.append(row.directory)
    rows.append(pending.bytes.bytes(row.name))
    rows.append(row.state)
    rows.append(row.session)
    rows.append(row.content)
    rows.append(Int64(bitPattern: row.device))
    rows.append(Int64(bitPattern: row.inode))
    rows.append(pending.bytes.bytes(row.attributes))
    if let extents = row.extents { rows.append(pending.bytes.bytes(extents)) } else { rows.appendNull() }
    rows.append(row.extended?.session)
    rows.append(row.extended?.index)
  }

  /// Writes all entries that wait for their seal as what they are: unsealed.
  private func flush() throws(CatalogError) {
    for item in pending.items where !item.isWritten {
      try write(
        Row(
          directory: item.directory, name: item.name, state: StageState.unsealed, session: 1,
          content: ordered(item.index), device: item.device, inode: item.inode, attributes: item.attributes,
          extended: item.extended))
    }
    pending.removeAll()
  }

  /// Notes a seal for an entry that an earlier commit, or an earlier part of this one, left unsealed.
  private func sealStaged(index: UInt64, _ content: SealedContent) throws(CatalogError) {
    let number = try ordered(index)
    guard !(segments.last?.isSeals == true && lateSeals.contains(index)) else {
      throw .noSuchSeal(index)
    }
    let start = pending.bytes.count
    defer { pending.bytes.truncate(to: start) }
    // The seal behind a blob of nothing but its head.
    for _ in 0...EntryCodec.flagsOffset { pending.bytes.append(UInt8(0)) }
    let blob = pending.bytes.count
    EntryCodec.appendSeal(content, toBlobAt: start, in: &pending.bytes)
    try write(
      Row(directory: 0, name: start..<start, state: Self.seal, content: number, attributes: blob..<pending.bytes.count))
    lateSeals.insert(index)
  }

  private func columns(_ extended: ExtendedReference?) throws(CatalogError) -> ExtendedColumns? {
    guard let carrier = extended?.carrier else { return nil }
    return ExtendedColumns(session: place(of: carrier.session), index: try ordered(carrier.index))
  }

  private func place(of session: UniqueIdentifier) -> Int64 {
    if let known = sessionPlaces[session] { return known }
    sessions.append(session)
    sessionPlaces[session] = Int64(sessions.count)
    return Int64(sessions.count)
  }

  private func ordered(_ value: UInt64) throws(CatalogError) -> Int64 {
    guard let number = Int64(exactly: value) else {
      throw CatalogError(.outOfRange, "the number \(value) is too large")
    }
    return number
  }

  /// A directory's number comes from outside.
  private func check(_ directory: DirectoryNumber) throws(CatalogError) {
    try checkOpen()
    guard directory >> 32 == serial, directory & 0xffff_ffff < directories.rowCount else {
      throw CatalogError(.notFound, "directory \(directory) is not one of the job's tree")
    }
  }

  private func check(_ name: ByteString) throws(CatalogError) {
    guard name.count <= Self.nameLimit else {
      throw CatalogError(.outOfRange, "a name of \(name.count) bytes is too long")
    }
  }

  private func checkOpen() throws(CatalogError) {
    guard isOpen else { throw CatalogError(.closed, "the commit it was lent for is over") }
  }
}

extension CatalogError {
  static func noSuchSeal(_ index: UInt64) -> CatalogError {
    CatalogError(.notFound, "a seal is for entry \(index), which is not staged or sealed already")
  }
}
