-- For how long records are kept, and by which decision.
CREATE TABLE retention_rule (
    owner TEXT NOT NULL,
    id BLOB NOT NULL,
    -- Null = whatever controller, domain, kind.
    controller BLOB,
    domain INTEGER,
    kind TEXT,
    -- Years after the end until a record is erased; null = it is preserved.
    years INTEGER,
    decision TEXT NOT NULL,
    reference TEXT NOT NULL,
    -- Where it is to be delivered, when it is preserved.
    archive TEXT,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;

-- What stands in the way of something being done to a record: legal holds (1) and restrictions of processing (2).
CREATE TABLE record_mark (
    owner TEXT NOT NULL,
    record_id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    lifted_at INTEGER,
    lifted_by TEXT,
    PRIMARY KEY (owner, record_id, kind, id)
) STRICT, WITHOUT ROWID;

-- What was erased, when, by whom and by which decision. No personal data.
CREATE TABLE disposal (
    owner TEXT NOT NULL,
    id BLOB NOT NULL,
    begun_at INTEGER NOT NULL,
    -- Null = it was broken off: what was erased by then stands in the log.
    finished_at INTEGER,
    actor TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;
