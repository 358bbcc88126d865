-- A system that feeds records, as its settings were from one version on.
CREATE TABLE source (
    owner text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    settings text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    reason text,
    PRIMARY KEY (owner, key, version)
);

-- One load of a source: what its file was, what came of it, and how far it is.
CREATE TABLE load (
    owner text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    source text COLLATE "C" NOT NULL,
    source_version integer NOT NULL,
    kind smallint NOT NULL,
    -- Below 10: it is still to be planned or applied, and no other load of the source may be.
    status smallint NOT NULL,
    -- The load that this one takes back.
    reverses uuid,
    -- How many batches are applied, and the last row that was reached: its turn and number.
    batches integer NOT NULL,
    reached_turn integer NOT NULL,
    reached_row bigint NOT NULL,
    content text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (owner, id)
);
CREATE UNIQUE INDEX load_open ON load (owner, source) WHERE status < 10;
CREATE INDEX load_by_source ON load (owner, source, id);

-- What a load is to do, row by row. Rows are applied in the order of their turns and, within one, of their numbers.
CREATE TABLE load_row (
    owner text COLLATE "C" NOT NULL,
    load_id uuid NOT NULL,
    number bigint NOT NULL,
    file_row bigint NOT NULL,
    record_name text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    key_hash bytea NOT NULL,
    domain smallint NOT NULL,
    outcome smallint NOT NULL,
    turn integer NOT NULL,
    -- 0 = applied when the load has reached it, 1 = set aside, 2 = waits for other rows of its plan.
    state smallint NOT NULL,
    record_id uuid,
    base_version integer,
    -- The privacy classes and the protection level of what the content tells.
    classes smallint NOT NULL,
    protection smallint NOT NULL,
    content text NOT NULL
);
CREATE UNIQUE INDEX load_row_key ON load_row (owner, load_id, number);
CREATE INDEX load_row_by_key_hash ON load_row (owner, load_id, key_hash);
CREATE INDEX load_row_by_turn ON load_row (owner, load_id, turn, number);
CREATE INDEX load_row_by_outcome ON load_row (owner, load_id, outcome, number);
CREATE INDEX load_row_by_record ON load_row (owner, record_id);
-- The few that are set aside or wait.
CREATE INDEX load_row_not_ready ON load_row (owner, load_id, number) WHERE state <> 0;

-- A batch of a load that was applied: one transaction of the log, or none where no record changed.
CREATE TABLE load_batch (
    owner text COLLATE "C" NOT NULL,
    load_id uuid NOT NULL,
    number integer NOT NULL,
    transaction_id uuid,
    recorded_at timestamptz NOT NULL,
    reached_turn integer NOT NULL,
    reached_row bigint NOT NULL,
    row_count integer NOT NULL,
    findings text,
    PRIMARY KEY (owner, load_id, number)
);
CREATE INDEX load_batch_by_transaction ON load_batch (owner, transaction_id);

-- What a source last said of a record: as much as tells whether it says something new. Small, so that a file of which
-- nothing is new costs few pages.
CREATE TABLE assertion (
    owner text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    key_hash bytea NOT NULL,
    hash bytea NOT NULL,
    present smallint NOT NULL,
    record_id uuid NOT NULL,
    PRIMARY KEY (owner, source, key_hash)
);
CREATE INDEX assertion_by_record ON assertion (owner, record_id);

-- What it said.
CREATE TABLE assertion_content (
    owner text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    key_hash bytea NOT NULL,
    record_name text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    domain smallint NOT NULL,
    content text NOT NULL,
    -- The load that said it first, and the one that said it last in other words.
    first_load uuid NOT NULL,
    load_id uuid NOT NULL
);
CREATE UNIQUE INDEX assertion_content_key ON assertion_content (owner, source, key_hash);
