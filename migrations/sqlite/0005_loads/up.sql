-- A system that feeds records, as its settings were from one version on.
CREATE TABLE source (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    reason TEXT,
    PRIMARY KEY (owner, key, version)
) STRICT, WITHOUT ROWID;

-- One load of a source: what its file was, what came of it, and how far it is.
CREATE TABLE load (
    owner TEXT NOT NULL,
    id BLOB NOT NULL,
    source TEXT NOT NULL,
    source_version INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    -- Below 10: it is still to be planned or applied, and no other load of the source may be.
    status INTEGER NOT NULL,
    -- The load that this one takes back.
    reverses BLOB,
    -- How many batches are applied, and the last row that was reached: its turn and number.
    batches INTEGER NOT NULL,
    reached_turn INTEGER NOT NULL,
    reached_row INTEGER NOT NULL,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX load_open ON load (owner, source) WHERE status < 10;
CREATE INDEX load_by_source ON load (owner, source, id);

-- What a load is to do, row by row. Rows are applied in the order of their turns and, within one, of their numbers.
CREATE TABLE load_row (
    owner TEXT NOT NULL,
    load_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    file_row INTEGER NOT NULL,
    record_name TEXT NOT NULL,
    key TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    domain INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    -- 0 = applied when the load has reached it, 1 = set aside, 2 = waits for other rows of its plan.
    state INTEGER NOT NULL,
    record_id BLOB,
    base_version INTEGER,
    -- The privacy classes and the protection level of what the content tells.
    classes INTEGER NOT NULL,
    protection INTEGER NOT NULL,
    content TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX load_row_key ON load_row (owner, load_id, number);
CREATE INDEX load_row_by_key_hash ON load_row (owner, load_id, key_hash);
CREATE INDEX load_row_by_turn ON load_row (owner, load_id, turn, number);
CREATE INDEX load_row_by_outcome ON load_row (owner, load_id, outcome, number);
CREATE INDEX load_row_by_record ON load_row (owner, record_id);
-- The few that are set aside or wait.
CREATE INDEX load_row_not_ready ON load_row (owner, load_id, number) WHERE state <> 0;

-- A batch of a load that was applied: one transaction of the log, or none where no record changed.
CREATE TABLE load_batch (
    owner TEXT NOT NULL,
    load_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    transaction_id BLOB,
    recorded_at INTEGER NOT NULL,
    reached_turn INTEGER NOT NULL,
    reached_row INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    findings TEXT,
    PRIMARY KEY (owner, load_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX load_batch_by_transaction ON load_batch (owner, transaction_id);

-- What a source last said of a record: as much as tells whether it says something new. Small, so that a file of which
-- nothing is new costs few pages.
CREATE TABLE assertion (
    owner TEXT NOT NULL,
    source TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    present INTEGER NOT NULL,
    record_id BLOB NOT NULL,
    PRIMARY KEY (owner, source, key_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX assertion_by_record ON assertion (owner, record_id);

-- What it said.
CREATE TABLE assertion_content (
    owner TEXT NOT NULL,
    source TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    record_name TEXT NOT NULL,
    key TEXT NOT NULL,
    domain INTEGER NOT NULL,
    content TEXT NOT NULL,
    -- The load that said it first, and the one that said it last in other words.
    first_load BLOB NOT NULL,
    load_id BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX assertion_content_key ON assertion_content (owner, source, key_hash);
