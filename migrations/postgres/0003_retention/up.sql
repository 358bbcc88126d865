-- For how long records are kept, and by which decision.
CREATE TABLE retention_rule (
    owner text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    -- Null = whatever controller, domain, kind.
    controller uuid,
    domain smallint,
    kind text COLLATE "C",
    -- Years after the end until a record is erased; null = it is preserved.
    years integer,
    decision text NOT NULL,
    reference text NOT NULL,
    -- Where it is to be delivered, when it is preserved.
    archive text,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (owner, id)
);

-- What stands in the way of something being done to a record: legal holds (1) and restrictions of processing (2).
CREATE TABLE record_mark (
    owner text COLLATE "C" NOT NULL,
    record_id uuid NOT NULL,
    kind smallint NOT NULL,
    id uuid NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    lifted_at timestamptz,
    lifted_by text,
    PRIMARY KEY (owner, record_id, kind, id)
);

-- What was erased, when, by whom and by which decision. No personal data.
CREATE TABLE disposal (
    owner text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    begun_at timestamptz NOT NULL,
    -- Null = it was broken off: what was erased by then stands in the log.
    finished_at timestamptz,
    actor text NOT NULL,
    content text NOT NULL,
    PRIMARY KEY (owner, id)
);
