-- Work on a load that goes on without whoever asked for it. The process that does it renews the lease; when that has run
-- out, another takes the work up again.
CREATE TABLE load_task (
    owner text COLLATE "C" NOT NULL,
    load_id uuid NOT NULL,
    -- 1 = its plan is made, 2 = it is applied.
    kind smallint NOT NULL,
    -- In whose name and with which rights: JSON.
    caller text NOT NULL,
    -- How often it has been begun.
    attempts integer NOT NULL,
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL,
    PRIMARY KEY (owner, load_id)
);

-- How the collecting of a source's files stands, and which process does it just now.
CREATE TABLE source_watch (
    owner text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL,
    tried_at timestamptz,
    -- When something came that was as the last that was accepted, so that no load was made of it.
    same_at timestamptz,
    -- How often in a row it has failed, and why the last time.
    failures integer NOT NULL,
    failure text,
    PRIMARY KEY (owner, source)
);

-- Whether the rows of its plan have been removed because they were old.
ALTER TABLE load ADD COLUMN pruned smallint NOT NULL DEFAULT 0;
CREATE INDEX load_to_prune ON load (owner, changed_at) WHERE pruned = 0;
