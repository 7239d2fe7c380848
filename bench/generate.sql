-- Multiplies the one file of a catalog that has one job: bench/micro.py gives :directories, :files (in each) and :jobs.
\set ON_ERROR_STOP on
SET search_path TO vault_bench;
SET synchronous_commit TO off;
SET maintenance_work_mem TO '256MB';

INSERT INTO session(uuid) SELECT decode(lpad(to_hex(each), 32, '0'), 'hex') FROM generate_series(2, :jobs) AS each;
INSERT INTO job(number, session, tree, job_name, level, sequence, base_sequence, created, paths, status, attempt,
    last_commit, next_entry, ended)
  SELECT each, session.id, tree, job_name, 'incremental', each, each - 1, created + each * 86400000000000, paths,
    status, attempt, last_commit, next_entry, ended + each * 86400000000000
  FROM job CROSS JOIN generate_series(2, :jobs) AS each
  JOIN session ON session.uuid = decode(lpad(to_hex(each), 32, '0'), 'hex')
  WHERE job.number = 1;
UPDATE repository SET last_number = :jobs;

INSERT INTO directory(tree, key)
  SELECT tree.id, '\x00'::bytea || 'data'::bytea || '\x00'::bytea || convert_to('directory-' || number, 'UTF8')
  FROM tree CROSS JOIN generate_series(1, :directories - 1) AS number;

-- Every tenth file has changed once.
INSERT INTO entry_past
  SELECT file.tree, directory.id, convert_to('file-' || number, 'UTF8'), 1, 2, file.content_session, file.content_index,
    file.device, file.inode, file.attributes, file.extents, file.extended_session, file.extended_index
  FROM entry_current AS file CROSS JOIN directory CROSS JOIN generate_series(0, :files - 1, 10) AS number;
INSERT INTO entry_current
  SELECT file.tree, directory.id, convert_to('file-' || number, 'UTF8'), CASE WHEN number % 10 = 0 THEN 2 ELSE 1 END,
    file.content_session, directory.id * :files + number, file.device, directory.id * :files + number, file.attributes,
    file.extents, file.extended_session, file.extended_index
  FROM entry_current AS file CROSS JOIN directory CROSS JOIN generate_series(0, :files - 1) AS number
  ON CONFLICT DO NOTHING;
UPDATE entry_current SET first = 2
  WHERE name = 'file-0'::bytea AND directory = (SELECT min(id) FROM directory);
VACUUM ANALYZE;
CHECKPOINT;
