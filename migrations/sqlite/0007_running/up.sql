-- Work on a load that goes on without whoever asked for it. The process that does it renews the lease; when that has run
-- out, another takes the work up again.
CREATE TABLE load_task (
    owner TEXT NOT NULL,
    load_id BLOB NOT NULL,
    -- 1 = its plan is made, 2 = it is applied.
    kind INTEGER NOT NULL,
    -- In whose name and with which rights: JSON.
    caller TEXT NOT NULL,
    -- How often it has been begun.
    attempts INTEGER NOT NULL,
    holder BLOB NOT NULL,
    held_until INTEGER NOT NULL,
    PRIMARY KEY (owner, load_id)
) STRICT, WITHOUT ROWID;

-- How the collecting of a source's files stands, and which process does it just now.
CREATE TABLE source_watch (
    owner TEXT NOT NULL,
    source TEXT NOT NULL,
    holder BLOB NOT NULL,
    held_until INTEGER NOT NULL,
    tried_at INTEGER,
    -- When something came that was as the last that was accepted, so that no load was made of it.
    same_at INTEGER,
    -- How often in a row it has failed, and why the last time.
    failures INTEGER NOT NULL,
    failure TEXT,
    PRIMARY KEY (owner, source)
) STRICT, WITHOUT ROWID;

-- Whether the rows of its plan have been removed because they were old.
ALTER TABLE load ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX load_to_prune ON load (owner, changed_at) WHERE pruned = 0;
