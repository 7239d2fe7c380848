import VaultModel

extension CatalogConnection {
  /// The contents that earlier attempts of a job staged for the given inodes: what later names of theirs refer to.
  ///
  /// The first call indexes what is staged by then, in a temporary table.
  func stagedContents(
    of number: JobNumber, _ questions: [InodeQuestion]
  ) throws(CatalogError) -> [ContentReference?] {
    let found = try existingJob(number)
    let job = try ordered(number)
    try indexStaged(job, tree: found.tree)
    let select = try statement(
      """
      \(Self.staged(in: "stage", "s.job = ?1")) AND s.state = \(StageState.entry)
      UNION ALL
      \(Self.staged(in: "entry_current", "s.first = ?4")) AND \(StateSource.isInPlace("?1"))
      """)
    defer { select.statement.reset() }
    var reader = StateRowReader(self)
    var answers: [ContentReference?] = []
    answers.reserveCapacity(questions.count)
    for question in questions {
      select.statement.reset()
      try select.statement.bind(job, at: 1)
      try select.statement.bind(Int64(bitPattern: question.inode), at: 2)
      try select.statement.bind(Int64(bitPattern: question.device), at: 3)
      try select.statement.bind(ordered(found.record.description.sequence), at: 4)
      var answer: ContentReference?
      while answer == nil, try select.statement.step() {
        let entry = try reader.row(select.statement).entry
        guard entry.attributes.type == .regular, entry.attributes.size == question.size,
          entry.attributes.modified == question.modified
        else { continue }
        answer = entry.content
      }
      answers.append(answer)
    }
    return answers
  }

  private static func staged(in table: String, _ condition: String) -> String {
    """
    SELECT s.directory, d.key, s.name, 0, s.content_session, s.content_index, s.device, s.inode, s.attributes,
      s.extents, s.extended_session, s.extended_index
    FROM temp.staged_inode AS i CROSS JOIN \(table) AS s
        ON \(condition) AND s.directory = i.directory AND s.name = i.name
      CROSS JOIN directory AS d ON d.id = s.directory
    WHERE i.inode = ?2 AND s.inode = ?2 AND s.device = ?3
    """
  }

  private func indexStaged(_ job: Int64, tree: Int64) throws(CatalogError) {
    if indexedStage == job { return }
    try execute(
      """
      DROP TABLE IF EXISTS temp.staged_inode;
      CREATE TEMP TABLE staged_inode AS
        SELECT inode, directory, name FROM main.stage
        WHERE job = \(job) AND state = \(StageState.entry) AND content_session IS NOT NULL
        UNION ALL
        SELECT e.inode, e.directory, e.name FROM main.directory AS d CROSS JOIN main.entry_current AS e ON e.directory = d.id
        WHERE d.tree = \(tree) AND e.content_session IS NOT NULL AND \(StateSource.isInPlace("\(job)"));
      CREATE INDEX temp.staged_inode_number ON staged_inode(inode);
      """)
    indexedStage = job
  }
}
