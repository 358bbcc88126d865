-- Registries whose owners are copied here, and how far each copy is. An owner that has a row here has one writer: whoever
-- follows the peer. The row stays when the peer is left and its records are kept.
CREATE TABLE peer (
    name TEXT NOT NULL,
    owner TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    -- From where, what and with what: JSON.
    settings TEXT NOT NULL,
    -- The registry that the owner belongs to.
    url TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    -- 1 = followed, 2 = paused, 3 = left.
    status INTEGER NOT NULL,
    -- Whether every change of the owner is copied, under the origin's own positions.
    whole INTEGER NOT NULL,
    -- Where the feed goes on; 0 = from its beginning.
    place TEXT NOT NULL,
    -- How far the copy is complete: the position and the recorded time of the last change at the origin.
    position INTEGER NOT NULL,
    complete_at INTEGER,
    received_at INTEGER,
    -- When the origin last said that there was nothing more.
    heard_at INTEGER,
    restarts INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    failure TEXT,
    -- The release of the information model that is missing here.
    needs_model TEXT,
    holder BLOB NOT NULL,
    held_until INTEGER NOT NULL,
    PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;

-- When which part of an owner's log came here: everything up to the position.
CREATE TABLE copy_batch (
    owner TEXT NOT NULL,
    position INTEGER NOT NULL,
    -- The recorded time of its last change, at the origin.
    complete_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (owner, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX copy_batch_received ON copy_batch (owner, received_at);
