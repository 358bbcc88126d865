-- Who was responsible for a record, and where it came from, until something else was recorded. Only of records of which that
-- has changed: of the others the head says it for all of recorded time.
CREATE TABLE former_head (
    owner TEXT NOT NULL,
    record_id BLOB NOT NULL,
    superseded_at INTEGER NOT NULL,
    controller BLOB,
    origin TEXT,
    PRIMARY KEY (owner, record_id, superseded_at)
) STRICT, WITHOUT ROWID;
