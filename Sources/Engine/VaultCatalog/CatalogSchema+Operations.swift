extension CatalogSchema {
  /// The second version: names of jobs, logs, and jobs that store nothing.
  static let secondVersion = """
    ALTER TABLE job ADD COLUMN job_name TEXT;
    CREATE INDEX job_number_in_tree ON job(tree, number) WHERE dropped IS NULL;
    CREATE INDEX job_open ON job(number) WHERE status IN ('C', 'R', 'I') AND dropped IS NULL;
    CREATE TABLE job_log(
      job INTEGER NOT NULL,
      number INTEGER NOT NULL,
      time INTEGER NOT NULL,
      class TEXT NOT NULL,
      text TEXT NOT NULL,
      PRIMARY KEY (job, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE errand(
      number INTEGER PRIMARY KEY,
      kind TEXT NOT NULL,
      tree INTEGER NOT NULL REFERENCES tree(id),
      created INTEGER NOT NULL,
      subject INTEGER,
      status TEXT NOT NULL,
      ended INTEGER,
      files INTEGER NOT NULL DEFAULT 0,
      bytes INTEGER NOT NULL DEFAULT 0,
      problems INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    """
}
