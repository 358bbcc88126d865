-- Every key leads with the owner, except those of the two directories, which are looked in when the owner is not known.
-- Text that is compared or sorted uses the collation "C": byte order, the same as in SQLite.
-- Times are half-open; 9999-12-31 means "until further notice", 0001-01-01 "unknown beginning".

-- One row per owner: the counter that every write of the owner takes first.
CREATE TABLE owner (
    key text COLLATE "C" NOT NULL PRIMARY KEY,
    name text NOT NULL,
    organisation uuid,
    open_data smallint NOT NULL,
    -- What is shown of persons under protection, by level and relation; JSON, empty = the default.
    protection_policy text NOT NULL,
    position bigint NOT NULL,
    last_instant timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);

-- The head of each record.
CREATE TABLE record (
    owner text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    domain smallint NOT NULL,
    controller uuid,
    origin text,
    version integer NOT NULL,
    status smallint NOT NULL,
    protected_until date NOT NULL,
    -- The highest level of protection until then, its own or that of somebody whom it identifies.
    protection smallint NOT NULL,
    PRIMARY KEY (owner, id)
);
CREATE INDEX record_by_domain ON record (owner, domain, id);

-- What a record was like in one valid period, as recorded from recorded_at until superseded_at.
CREATE TABLE state (
    owner text COLLATE "C" NOT NULL,
    record_id uuid NOT NULL,
    superseded_at timestamptz NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    recorded_at timestamptz NOT NULL,
    domain smallint NOT NULL,
    version integer NOT NULL,
    change_kind smallint NOT NULL,
    model text NOT NULL,
    body text NOT NULL,
    hash bytea NOT NULL,
    display text COLLATE "C",
    kind text COLLATE "C",
    classes smallint NOT NULL,
    protection smallint NOT NULL,
    has_links smallint NOT NULL,
    -- What is told of the target of a reference stands in the index as well, so that a name costs no look at the row.
    PRIMARY KEY (owner, record_id, superseded_at, valid_from) INCLUDE (valid_to, recorded_at, protection, display)
);

CREATE TABLE identifier (
    owner text COLLATE "C" NOT NULL,
    scheme text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    record_id uuid NOT NULL,
    issuer text COLLATE "C" NOT NULL,
    valid_from date NOT NULL,
    recorded_at timestamptz NOT NULL,
    valid_to date NOT NULL,
    superseded_at timestamptz NOT NULL,
    status text COLLATE "C" NOT NULL,
    class smallint NOT NULL,
    PRIMARY KEY (owner, scheme, value, record_id, issuer, valid_from, recorded_at)
);

CREATE TABLE link (
    owner text COLLATE "C" NOT NULL,
    source_id uuid NOT NULL,
    relation text COLLATE "C" NOT NULL,
    target_id uuid NOT NULL,
    valid_from date NOT NULL,
    recorded_at timestamptz NOT NULL,
    valid_to date NOT NULL,
    superseded_at timestamptz NOT NULL,
    source_domain smallint NOT NULL,
    class smallint NOT NULL,
    PRIMARY KEY (owner, source_id, relation, target_id, valid_from, recorded_at) INCLUDE (valid_to, superseded_at, class)
);
CREATE INDEX link_by_target ON link (owner, target_id, relation, source_id, valid_from, recorded_at)
    INCLUDE (valid_to, superseded_at, source_domain, class);

-- What can be searched and sorted by: one row per property, mode and value.
CREATE TABLE entry (
    owner text COLLATE "C" NOT NULL,
    domain smallint NOT NULL,
    property text COLLATE "C" NOT NULL,
    mode smallint NOT NULL,
    value text COLLATE "C" NOT NULL,
    record_id uuid NOT NULL,
    valid_from date NOT NULL,
    recorded_at timestamptz NOT NULL,
    valid_to date NOT NULL,
    superseded_at timestamptz NOT NULL,
    PRIMARY KEY (owner, domain, property, mode, value, record_id, valid_from, recorded_at) INCLUDE (valid_to, superseded_at)
);

-- The vocabulary of an owner's texts, against typing errors: each word with its single deletions.
CREATE TABLE term (
    owner text COLLATE "C" NOT NULL,
    domain smallint NOT NULL,
    word text COLLATE "C" NOT NULL,
    PRIMARY KEY (owner, domain, word)
);
CREATE TABLE term_variant (
    owner text COLLATE "C" NOT NULL,
    domain smallint NOT NULL,
    deletion text COLLATE "C" NOT NULL,
    word text COLLATE "C" NOT NULL,
    PRIMARY KEY (owner, domain, deletion, word)
);

-- Geometries are kept once, by the hash that stands in the bodies.
CREATE TABLE geometry (
    owner text COLLATE "C" NOT NULL,
    hash text COLLATE "C" NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (owner, hash)
);

-- The log: every accepted write, in order, without holes.
CREATE TABLE change (
    owner text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    record_id uuid NOT NULL,
    domain smallint NOT NULL,
    version integer NOT NULL,
    recorded_at timestamptz NOT NULL,
    transaction_id uuid NOT NULL,
    operation smallint NOT NULL,
    change_kind smallint NOT NULL,
    corrects integer,
    actor text NOT NULL,
    reason text,
    source text,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (owner, position)
);
CREATE UNIQUE INDEX change_by_version ON change (owner, record_id, version);
CREATE INDEX change_by_instant ON change (owner, record_id, recorded_at) INCLUDE (version);

-- Which positions a transaction took.
CREATE TABLE accepted_transaction (
    owner text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    first_position bigint NOT NULL,
    last_position bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (owner, id)
);

CREATE TABLE idempotency (
    owner text COLLATE "C" NOT NULL,
    key_hash bytea NOT NULL,
    request_hash bytea NOT NULL,
    outcome text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (owner, key_hash)
);
CREATE INDEX idempotency_by_age ON idempotency (owner, created_at);

CREATE TABLE token (
    hash bytea NOT NULL PRIMARY KEY,
    name text NOT NULL,
    grants text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

-- The two directories: hints from what is known to the owner, confirmed at the record.
CREATE TABLE directory_id (
    id uuid NOT NULL PRIMARY KEY,
    owner text COLLATE "C" NOT NULL,
    domain smallint NOT NULL,
    forward_to uuid,
    erased smallint NOT NULL
);
CREATE TABLE directory_identifier (
    scheme text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    record_id uuid NOT NULL,
    PRIMARY KEY (scheme, value, owner, record_id)
);

-- Between which owners there are links: which owners' links must be asked for those that lead to a record of another.
CREATE TABLE owner_reference (
    target text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    PRIMARY KEY (target, source)
);
