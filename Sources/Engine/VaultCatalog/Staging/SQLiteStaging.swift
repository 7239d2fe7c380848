import VaultModel

/// The rows of one commit on their way into `stage`.
final class SQLiteStaging: StagingTransaction {
  private let connection: CatalogConnection
  private let job: JobRow
  private let jobNumber: Int64
  /// Puts a row into `stage`.
  private let insert: CachedStatement
  /// Puts entries where they are to stay; nil when the job's entries wait in `stage`.
  @exclusivity(unchecked)
  private var placed: PlacedRows?
  /// Whether rows of the job wait in `stage`.
  private var hasWaiting = false
  // Each use of it would be checked at run time: 500 of the 10,000 instructions of a row.
  @exclusivity(unchecked)
  private var pending = PendingEntries()
  private var isOpen = true

  private(set) var nextEntry: UInt64
  private var nextProblem: Int64
  /// The last directory that was found to be of the job's tree.
  private var checkedDirectory: DirectoryNumber?
  private var volume: (identifier: UniqueIdentifier, number: Int64)?

  init(_ connection: CatalogConnection, job: JobRow) throws(CatalogError) {
    self.connection = connection
    self.job = job
    jobNumber = try connection.ordered(job.number)
    nextEntry = job.nextEntry
    insert = try connection.statement(
      """
      INSERT OR REPLACE INTO stage
        (job, state, directory, name, content_session, content_index, device, inode, attributes, extents,
          extended_session, extended_index)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
      """)
    try insert.statement.bind(jobNumber, at: 1)
    if try connection.stagesInPlace(job.number) {
      placed = try PlacedRows.of(sequence: connection.ordered(job.record.description.sequence), connection)
      let waiting = try connection.statement("SELECT EXISTS (SELECT 1 FROM stage WHERE job = ?1)")
      defer { waiting.statement.reset() }
      try waiting.statement.bind(jobNumber, at: 1)
      hasWaiting = try waiting.statement.step() && waiting.statement.integer(0) != 0
    }
    let last = try connection.statement("SELECT coalesce(max(number), 0) FROM problem WHERE job = ?1")
    defer { last.statement.reset() }
    try last.statement.bind(jobNumber, at: 1)
    nextProblem = try last.statement.step() ? last.statement.integer(0) + 1 : 1
  }

  /// Writes what still waits; nothing is taken after.
  func finish() throws(CatalogError) {
    try flush()
    try placed?.flush()
    isOpen = false
  }

  /// Refuses everything from now on.
  func abandon() { isOpen = false }

  // MARK: Entries

  func directory(_ key: DirectoryKey) throws(CatalogError) -> DirectoryNumber {
    try checkOpen()
    if let known = try connection.directoryNumber(key, tree: job.tree) {
      checkedDirectory = known
      return known
    }
    let make = try connection.statement("INSERT INTO directory(tree, key) VALUES (?1, ?2) RETURNING id")
    defer { make.statement.reset() }
    try make.statement.bind(job.tree, at: 1)
    try make.statement.bind(key.bytes, at: 2)
    guard try make.statement.step() else { throw .corrupt("a directory has no number") }
    let number = make.statement.integer(0)
    checkedDirectory = number
    return number
  }

  func entry(index: UInt64, directory: DirectoryNumber, _ entry: Entry) throws(CatalogError) {
    try check(directory)
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
    var session: Int64?
    var content: Int64?
    var extents: Range<Int>?
    switch entry.content {
    case .none, .own: break
    case .stored(let identifier, let seal):
      EntryCodec.appendSeal(seal, toBlobAt: name.upperBound, in: &pending.bytes)
      session = try connection.sessionNumber(identifier.session)
      content = try connection.ordered(identifier.index)
    case .extents(let pieces, let seal):
      EntryCodec.appendSeal(seal, toBlobAt: name.upperBound, in: &pending.bytes)
      if let piece = pieces.first { session = try connection.sessionNumber(piece.session) }
      let blob = pending.bytes.count
      ExtentCodec.append(pieces, to: &pending.bytes)
      extents = blob..<pending.bytes.count
    }
    try write(
      StagedRow(
        directory: directory, name: name, session: session, content: content, device: attributes.device,
        inode: attributes.inode, attributes: name.upperBound..<(extents?.lowerBound ?? pending.bytes.count),
        extents: extents, extended: extended), StageState.entry)
  }

  private func columns(_ extended: ExtendedReference?) throws(CatalogError) -> ExtendedColumns? {
    guard let carrier = extended?.carrier else { return nil }
    return ExtendedColumns(
      session: try connection.sessionNumber(carrier.session), index: try connection.ordered(carrier.index))
  }

  func seal(index: UInt64, _ content: SealedContent) throws(CatalogError) {
    try checkOpen()
    guard let position = pending.position(of: index) else { return try sealStaged(index: index, content) }
    let item = pending.items[position]
    let start = pending.bytes.count
    pending.bytes.append(copyOf: item.attributes)
    EntryCodec.appendSeal(content, toBlobAt: start, in: &pending.bytes)
    try write(
      StagedRow(
        directory: item.directory, name: item.name, session: job.session, content: try connection.ordered(index),
        device: item.device, inode: item.inode, attributes: start..<pending.bytes.count, extended: item.extended),
      StageState.entry)
    pending.bytes.truncate(to: start)
    pending.written(position)
  }

  func deletion(directory: DirectoryNumber, name: ByteString) throws(CatalogError) {
    try check(directory)
    let start = pending.bytes.count
    defer { pending.bytes.truncate(to: start) }
    name.bytes.withUnsafeBytes { pending.bytes.append($0) }
    let end = pending.bytes.count
    try write(
      StagedRow(directory: directory, name: start..<end, device: 0, inode: 0, attributes: end..<end),
      StageState.deletion)
  }

  // MARK: What else a commit tells

  func problem(
    directory: DirectoryNumber, name: ByteString, phase: ProblemPhase, errorNumber: Int32
  ) throws(CatalogError) {
    try check(directory)
    let insert = try connection.statement(
      "INSERT INTO problem(job, number, directory, name, phase, error_number) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    )
    try insert.statement.bind(jobNumber, at: 1)
    try insert.statement.bind(nextProblem, at: 2)
    try insert.statement.bind(directory, at: 3)
    try insert.statement.bind(name, at: 4)
    try insert.statement.bind(Int64(phase.rawValue), at: 5)
    try insert.statement.bind(Int64(errorNumber), at: 6)
    try insert.statement.run()
    nextProblem += 1
  }

  func extendedAttributes(index: UInt64, group: UInt64) throws(CatalogError) {
    try checkOpen()
    let upsert = try connection.statement(
      """
      INSERT INTO extended_list(job, entry, first_group, last_group) VALUES (?1, ?2, ?3, ?3)
      ON CONFLICT(job, entry) DO UPDATE SET first_group = min(first_group, excluded.first_group),
        last_group = max(last_group, excluded.last_group)
      """)
    try upsert.statement.bind(jobNumber, at: 1)
    try upsert.statement.bind(connection.ordered(index), at: 2)
    try upsert.statement.bind(connection.ordered(group), at: 3)
    try upsert.statement.run()
  }

  func ownerName(kind: OwnerKind, number: UInt32, name: ByteString) throws(CatalogError) {
    try checkOpen()
    let sequence = job.record.description.sequence
    let known = try connection.ownerName(tree: job.tree, sequence: sequence, kind: kind, number: number)
    guard known ?? "" != name else { return }
    let insert = try connection.statement(
      "INSERT OR REPLACE INTO owner_name(tree, kind, number, sequence, name) VALUES (?1, ?2, ?3, ?4, ?5)")
    try insert.statement.bind(job.tree, at: 1)
    try insert.statement.bind(Int64(kind.rawValue), at: 2)
    try insert.statement.bind(Int64(number), at: 3)
    try insert.statement.bind(connection.ordered(sequence), at: 4)
    try insert.statement.bind(name, at: 5)
    try insert.statement.run()
  }

  func location(_ location: GroupLocation) throws(CatalogError) {
    try checkOpen()
    let volume = try volumeNumber(location.volume)
    let group = try connection.statement(
      """
      INSERT OR REPLACE INTO record_group(job, number, kind, first_entry, first_offset, raw_length)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6)
      """
    )
    try group.statement.bind(jobNumber, at: 1)
    try group.statement.bind(connection.ordered(location.group), at: 2)
    try group.statement.bind(Int64(location.kind.rawValue), at: 3)
    try group.statement.bind(connection.ordered(location.firstEntry), at: 4)
    try group.statement.bind(connection.ordered(location.firstOffset), at: 5)
    try group.statement.bind(Int64(location.rawLength), at: 6)
    try group.statement.run()
    let place = try connection.statement(
      """
      INSERT OR REPLACE INTO group_location(job, number, copy, volume, file, block, stored_length)
      VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6)
      """
    )
    try place.statement.bind(jobNumber, at: 1)
    try place.statement.bind(connection.ordered(location.group), at: 2)
    try place.statement.bind(volume, at: 3)
    try place.statement.bind(Int64(location.block.file), at: 4)
    try place.statement.bind(Int64(location.block.block), at: 5)
    try place.statement.bind(Int64(location.storedLength), at: 6)
    try place.statement.run()
  }

  // MARK: Rows

  /// Writes all entries that wait for their seal as what they are: unsealed.
  private func flush() throws(CatalogError) {
    for item in pending.items where !item.isWritten {
      try write(
        StagedRow(
          directory: item.directory, name: item.name, session: job.session, content: try connection.ordered(item.index),
          device: item.device, inode: item.inode, attributes: item.attributes, extended: item.extended),
        StageState.unsealed)
    }
    pending.removeAll()
  }

  /// Writes a row whose bytes lie in `pending.bytes`.
  private func write(_ row: StagedRow, _ state: Int64) throws(CatalogError) {
    let isPlaced = placed != nil && state == StageState.entry
    if isPlaced {
      try placed?.add(row, pending.bytes)
    } else {
      try placed?.flush()
      try insert.statement.bind(state, at: 2)
      try row.bind(to: insert.statement, from: 3, pending.bytes)
      try insert.statement.run()
      if placed != nil { hasWaiting = true }
    }
    guard hasWaiting, placed != nil else { return }
    try placed?.flush()
    try removeOther(row.directory, row.name, isPlaced: isPlaced)
  }

  /// Removes the row that the same name has where the one just written is not.
  private func removeOther(_ directory: DirectoryNumber, _ name: Range<Int>, isPlaced: Bool) throws(CatalogError) {
    let delete = try connection.statement(
      isPlaced
        ? "DELETE FROM stage WHERE directory = ?1 AND name = ?2 AND job = ?3"
        : "DELETE FROM entry_current WHERE directory = ?1 AND name = ?2")
    try delete.statement.bind(directory, at: 1)
    try delete.statement.bind(lending: pending.bytes.bytes(name), at: 2)
    if isPlaced { try delete.statement.bind(jobNumber, at: 3) }
    try delete.statement.run()
  }

  /// Seals an entry that an earlier commit, or an earlier part of this one, left unsealed.
  private func sealStaged(index: UInt64, _ content: SealedContent) throws(CatalogError) {
    let select = try connection.statement(
      """
      SELECT directory, name, device, inode, attributes, extended_session, extended_index FROM stage INDEXED BY stage_unsealed
      WHERE job = ?1 AND content_index = ?2 AND state = 0
      """)
    defer { select.statement.reset() }
    try select.statement.bind(jobNumber, at: 1)
    try select.statement.bind(connection.ordered(index), at: 2)
    guard try select.statement.step() else {
      throw CatalogError(.notFound, "a seal is for entry \(index), which is not staged or sealed already")
    }
    let start = pending.bytes.count
    defer { pending.bytes.truncate(to: start) }
    let directory = select.statement.integer(0)
    let device = UInt64(bitPattern: select.statement.integer(2))
    let inode = UInt64(bitPattern: select.statement.integer(3))
    let extended =
      select.statement.isNull(5)
      ? nil : ExtendedColumns(session: select.statement.integer(5), index: select.statement.integer(6))
    pending.bytes.append(select.statement.bytes(1))
    let blob = pending.bytes.count
    pending.bytes.append(select.statement.bytes(4))
    guard pending.bytes.count - blob > EntryCodec.flagsOffset else { throw .corrupt("a staged entry is cut short") }
    EntryCodec.appendSeal(content, toBlobAt: blob, in: &pending.bytes)
    select.statement.reset()
    try write(
      StagedRow(
        directory: directory, name: start..<blob, session: job.session, content: try connection.ordered(index),
        device: device, inode: inode, attributes: blob..<pending.bytes.count, extended: extended), StageState.entry)
  }

  private func volumeNumber(_ identifier: UniqueIdentifier) throws(CatalogError) -> Int64 {
    if let volume, volume.identifier == identifier { return volume.number }
    let number = try connection.volumeNumber(identifier)
    volume = (identifier, number)
    return number
  }

  /// A directory's number comes from outside; one of another tree would mix the trees.
  private func check(_ directory: DirectoryNumber) throws(CatalogError) {
    try checkOpen()
    guard directory != checkedDirectory else { return }
    let select = try connection.statement("SELECT 1 FROM directory WHERE id = ?1 AND tree = ?2")
    defer { select.statement.reset() }
    try select.statement.bind(directory, at: 1)
    try select.statement.bind(job.tree, at: 2)
    guard try select.statement.step() else {
      throw CatalogError(.notFound, "directory \(directory) is not one of the job's tree")
    }
    checkedDirectory = directory
  }

  private func checkOpen() throws(CatalogError) {
    guard isOpen else { throw CatalogError(.closed, "the commit it was lent for is over") }
  }
}
