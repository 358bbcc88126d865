-- Every key leads with the owner, except those of the two directories, which are looked in when the owner is not known.
-- Ids are 16-byte blobs, instants microseconds since 1970, days counted from 0001-01-01 = 1.
-- Times are half-open; 9999-12-31 means "until further notice", 0001-01-01 "unknown beginning".

-- One row per owner: the counter that every write of the owner takes first.
CREATE TABLE owner (
    key TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    organisation BLOB,
    open_data INTEGER NOT NULL,
    -- What is shown of persons under protection, by level and relation; JSON, empty = the default.
    protection_policy TEXT NOT NULL,
    position INTEGER NOT NULL,
    last_instant INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The head of each record.
CREATE TABLE record (
    owner TEXT NOT NULL,
    id BLOB NOT NULL,
    domain INTEGER NOT NULL,
    controller BLOB,
    origin TEXT,
    version INTEGER NOT NULL,
    status INTEGER NOT NULL,
    protected_until INTEGER NOT NULL,
    -- The highest level of protection until then, its own or that of somebody whom it identifies.
    protection INTEGER NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_by_domain ON record (owner, domain, id);

-- What a record was like in one valid period, as recorded from recorded_at until superseded_at.
CREATE TABLE state (
    owner TEXT NOT NULL,
    record_id BLOB NOT NULL,
    superseded_at INTEGER NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    domain INTEGER NOT NULL,
    version INTEGER NOT NULL,
    change_kind INTEGER NOT NULL,
    model TEXT NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL,
    display TEXT,
    kind TEXT,
    classes INTEGER NOT NULL,
    protection INTEGER NOT NULL,
    has_links INTEGER NOT NULL
) STRICT;
-- The key. What is told of the target of a reference stands in it as well, so that a name costs no look at the row.
CREATE UNIQUE INDEX state_key ON state (owner, record_id, superseded_at, valid_from, valid_to, recorded_at, protection, display);

CREATE TABLE identifier (
    owner TEXT NOT NULL,
    scheme TEXT NOT NULL,
    value TEXT NOT NULL,
    record_id BLOB NOT NULL,
    issuer TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    valid_to INTEGER NOT NULL,
    superseded_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    class INTEGER NOT NULL,
    PRIMARY KEY (owner, scheme, value, record_id, issuer, valid_from, recorded_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE link (
    owner TEXT NOT NULL,
    source_id BLOB NOT NULL,
    relation TEXT NOT NULL,
    target_id BLOB NOT NULL,
    valid_from INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    valid_to INTEGER NOT NULL,
    superseded_at INTEGER NOT NULL,
    source_domain INTEGER NOT NULL,
    class INTEGER NOT NULL,
    PRIMARY KEY (owner, source_id, relation, target_id, valid_from, recorded_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_by_target ON link (owner, target_id, relation, source_id, valid_from, recorded_at, valid_to, superseded_at, source_domain, class);

-- What can be searched and sorted by: one row per property, mode and value.
CREATE TABLE entry (
    owner TEXT NOT NULL,
    domain INTEGER NOT NULL,
    property TEXT NOT NULL,
    mode INTEGER NOT NULL,
    value TEXT NOT NULL,
    record_id BLOB NOT NULL,
    valid_from INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    valid_to INTEGER NOT NULL,
    superseded_at INTEGER NOT NULL,
    PRIMARY KEY (owner, domain, property, mode, value, record_id, valid_from, recorded_at)
) STRICT, WITHOUT ROWID;

-- The vocabulary of an owner's texts, against typing errors: each word with its single deletions.
CREATE TABLE term (
    owner TEXT NOT NULL,
    domain INTEGER NOT NULL,
    word TEXT NOT NULL,
    PRIMARY KEY (owner, domain, word)
) STRICT, WITHOUT ROWID;
CREATE TABLE term_variant (
    owner TEXT NOT NULL,
    domain INTEGER NOT NULL,
    deletion TEXT NOT NULL,
    word TEXT NOT NULL,
    PRIMARY KEY (owner, domain, deletion, word)
) STRICT, WITHOUT ROWID;

-- Geometries are kept once, by the hash that stands in the bodies.
CREATE TABLE geometry (
    owner TEXT NOT NULL,
    hash TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (owner, hash)
) STRICT, WITHOUT ROWID;

-- The log: every accepted write, in order, without holes.
CREATE TABLE change (
    owner TEXT NOT NULL,
    position INTEGER NOT NULL,
    record_id BLOB NOT NULL,
    domain INTEGER NOT NULL,
    version INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    transaction_id BLOB NOT NULL,
    operation INTEGER NOT NULL,
    change_kind INTEGER NOT NULL,
    corrects INTEGER,
    actor TEXT NOT NULL,
    reason TEXT,
    source TEXT,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (owner, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX change_by_version ON change (owner, record_id, version);
CREATE INDEX change_by_instant ON change (owner, record_id, recorded_at, version);

-- Which positions a transaction took.
CREATE TABLE accepted_transaction (
    owner TEXT NOT NULL,
    id BLOB NOT NULL,
    first_position INTEGER NOT NULL,
    last_position INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    owner TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    request_hash BLOB NOT NULL,
    outcome TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (owner, key_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (owner, created_at);

CREATE TABLE token (
    hash BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    grants TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

-- The two directories: hints from what is known to the owner, confirmed at the record.
CREATE TABLE directory_id (
    id BLOB NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    domain INTEGER NOT NULL,
    forward_to BLOB,
    erased INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE directory_identifier (
    scheme TEXT NOT NULL,
    value TEXT NOT NULL,
    owner TEXT NOT NULL,
    record_id BLOB NOT NULL,
    PRIMARY KEY (scheme, value, owner, record_id)
) STRICT, WITHOUT ROWID;

-- Between which owners there are links: which owners' links must be asked for those that lead to a record of another.
CREATE TABLE owner_reference (
    target TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (target, source)
) STRICT, WITHOUT ROWID;
