/// The tables, as numbered migrations; vault-catalog(7) describes them.
enum CatalogSchema {
  /// What marks a database file as ours: `VLTC`.
  static let applicationIdentifier: Int64 = 0x564c_5443

  /// The schema that this program writes: the number of the last migration.
  static var version: Int64 { Int64(migrations.count) }

  /// Each brings a catalog from the version before to its own, its place in the list counted from 1.
  static let migrations = [firstVersion, secondVersion, volumePlaces, stagingInPlace]

  /// The inode index, which the first job of an empty catalog takes away and the first question makes again: sorting once costs
  /// less than finding a place for each row, and who makes full backups only never asks.
  static let inodeIndexName = "entry_current_inode"
  static let createInodeIndex =
    "CREATE INDEX IF NOT EXISTS entry_current_inode ON entry_current(inode) WHERE content_session IS NOT NULL"

  /// Where a director with several storage daemons finds a volume.
  private static let volumePlaces = "ALTER TABLE volume ADD COLUMN place TEXT"

  /// Which job stages its entries where they are to stay: see `CatalogConnection.stagesInPlace`.
  private static let stagingInPlace = """
    ALTER TABLE job ADD COLUMN in_place INTEGER NOT NULL DEFAULT 0;
    CREATE UNIQUE INDEX job_in_place ON job(tree) WHERE in_place = 1;
    """

  private static let firstVersion = """
    CREATE TABLE repository(
      id INTEGER PRIMARY KEY CHECK (id = 1),
      uuid BLOB NOT NULL,
      last_number INTEGER NOT NULL DEFAULT 0,
      freeing INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE tree(
      id INTEGER PRIMARY KEY,
      host TEXT NOT NULL,
      name BLOB NOT NULL,
      first_kept INTEGER NOT NULL DEFAULT 0,
      UNIQUE (host, name)
    ) STRICT;
    CREATE TABLE session(
      id INTEGER PRIMARY KEY,
      uuid BLOB NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE job(
      number INTEGER PRIMARY KEY,
      session INTEGER NOT NULL UNIQUE REFERENCES session(id),
      tree INTEGER NOT NULL REFERENCES tree(id),
      level TEXT NOT NULL,
      sequence INTEGER NOT NULL,
      base_sequence INTEGER NOT NULL,
      created INTEGER NOT NULL,
      paths BLOB NOT NULL,
      status TEXT NOT NULL,
      attempt INTEGER NOT NULL DEFAULT 0,
      last_commit INTEGER NOT NULL DEFAULT 0,
      next_entry INTEGER NOT NULL DEFAULT 1,
      ended INTEGER,
      entries_seen INTEGER NOT NULL DEFAULT 0,
      regular_files_seen INTEGER NOT NULL DEFAULT 0,
      bytes_seen INTEGER NOT NULL DEFAULT 0,
      new INTEGER NOT NULL DEFAULT 0,
      changed_size INTEGER NOT NULL DEFAULT 0,
      changed_date INTEGER NOT NULL DEFAULT 0,
      changed_checksum INTEGER NOT NULL DEFAULT 0,
      changed_attributes INTEGER NOT NULL DEFAULT 0,
      deleted INTEGER NOT NULL DEFAULT 0,
      unchanged INTEGER NOT NULL DEFAULT 0,
      bytes_read INTEGER NOT NULL DEFAULT 0,
      bytes_known INTEGER NOT NULL DEFAULT 0,
      bytes_sent INTEGER NOT NULL DEFAULT 0,
      bytes_stored INTEGER NOT NULL DEFAULT 0,
      problems INTEGER NOT NULL DEFAULT 0,
      revived INTEGER,
      whole INTEGER NOT NULL DEFAULT 0,
      dropped INTEGER,
      undone INTEGER NOT NULL DEFAULT 0,
      UNIQUE (tree, sequence)
    ) STRICT;
    CREATE TABLE problem(
      job INTEGER NOT NULL REFERENCES job(number),
      number INTEGER NOT NULL,
      directory INTEGER NOT NULL REFERENCES directory(id),
      name BLOB NOT NULL,
      phase INTEGER NOT NULL,
      error_number INTEGER NOT NULL,
      PRIMARY KEY (job, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE directory(
      id INTEGER PRIMARY KEY,
      tree INTEGER NOT NULL REFERENCES tree(id),
      key BLOB NOT NULL,
      UNIQUE (tree, key)
    ) STRICT;
    CREATE TABLE entry_current(
      directory INTEGER NOT NULL REFERENCES directory(id),
      name BLOB NOT NULL,
      first INTEGER NOT NULL,
      content_session INTEGER REFERENCES session(id),
      content_index INTEGER,
      device INTEGER NOT NULL,
      inode INTEGER NOT NULL,
      attributes BLOB NOT NULL,
      extents BLOB,
      extended_session INTEGER REFERENCES session(id),
      extended_index INTEGER,
      PRIMARY KEY (directory, name)
    ) STRICT, WITHOUT ROWID;
    \(createInodeIndex);
    CREATE TABLE entry_past(
      directory INTEGER NOT NULL REFERENCES directory(id),
      name BLOB NOT NULL,
      first INTEGER NOT NULL,
      last INTEGER NOT NULL,
      content_session INTEGER REFERENCES session(id),
      content_index INTEGER,
      device INTEGER NOT NULL,
      inode INTEGER NOT NULL,
      attributes BLOB NOT NULL,
      extents BLOB,
      extended_session INTEGER REFERENCES session(id),
      extended_index INTEGER,
      PRIMARY KEY (directory, name, first)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX entry_past_last ON entry_past(last);
    CREATE VIEW entry AS
      SELECT d.tree, e.directory, e.name, e.first, NULL AS last, e.content_session, e.content_index, e.device, e.inode,
        e.attributes, e.extents, e.extended_session, e.extended_index
      FROM entry_current AS e JOIN directory AS d ON d.id = e.directory
      UNION ALL
      SELECT d.tree, e.directory, e.name, e.first, e.last, e.content_session, e.content_index, e.device, e.inode,
        e.attributes, e.extents, e.extended_session, e.extended_index
      FROM entry_past AS e JOIN directory AS d ON d.id = e.directory;
    CREATE TABLE stage(
      job INTEGER NOT NULL REFERENCES job(number),
      directory INTEGER NOT NULL REFERENCES directory(id),
      name BLOB NOT NULL,
      state INTEGER NOT NULL,
      content_session INTEGER REFERENCES session(id),
      content_index INTEGER,
      device INTEGER NOT NULL,
      inode INTEGER NOT NULL,
      attributes BLOB NOT NULL,
      extents BLOB,
      extended_session INTEGER REFERENCES session(id),
      extended_index INTEGER,
      PRIMARY KEY (job, directory, name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX stage_unsealed ON stage(job, content_index) WHERE state = 0;
    CREATE TABLE extended_list(
      job INTEGER NOT NULL REFERENCES job(number),
      entry INTEGER NOT NULL,
      first_group INTEGER NOT NULL,
      last_group INTEGER NOT NULL,
      PRIMARY KEY (job, entry)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE owner_name(
      tree INTEGER NOT NULL REFERENCES tree(id),
      kind INTEGER NOT NULL,
      number INTEGER NOT NULL,
      sequence INTEGER NOT NULL,
      name BLOB NOT NULL,
      PRIMARY KEY (tree, kind, number, sequence)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE volume(
      id INTEGER PRIMARY KEY,
      uuid BLOB NOT NULL UNIQUE,
      name TEXT NOT NULL,
      status TEXT NOT NULL,
      end_file INTEGER NOT NULL,
      end_block INTEGER NOT NULL,
      labeled INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE record_group(
      job INTEGER NOT NULL REFERENCES job(number),
      number INTEGER NOT NULL,
      kind INTEGER NOT NULL,
      first_entry INTEGER NOT NULL,
      first_offset INTEGER NOT NULL,
      raw_length INTEGER NOT NULL,
      PRIMARY KEY (job, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX record_group_content ON record_group(job, first_entry, first_offset) WHERE kind = 1;
    CREATE TABLE group_location(
      job INTEGER NOT NULL REFERENCES job(number),
      number INTEGER NOT NULL,
      copy INTEGER NOT NULL,
      volume INTEGER NOT NULL REFERENCES volume(id),
      file INTEGER NOT NULL,
      block INTEGER NOT NULL,
      stored_length INTEGER NOT NULL,
      PRIMARY KEY (job, number, copy)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX group_location_place ON group_location(volume, file, block);
    """
}
