-- Registries that the changes of an owner of this one are brought to: they copy it and cannot reach it themselves. How far the
-- copy is they say.
CREATE TABLE push (
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- Where to, what and with what: JSON.
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    -- 1 = sent, 2 = paused.
    status INTEGER NOT NULL,
    -- When the other registry last answered.
    heard_at INTEGER,
    failures INTEGER NOT NULL,
    failure TEXT,
    holder BLOB NOT NULL,
    held_until INTEGER NOT NULL,
    PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;
