-- Registries whose owners are copied here, and how far each copy is. An owner that has a row here has one writer: whoever
-- follows the peer. The row stays when the peer is left and its records are kept.
CREATE TABLE peer (
    name text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL UNIQUE,
    version integer NOT NULL,
    -- From where, what and with what: JSON.
    settings text NOT NULL,
    -- The registry that the owner belongs to.
    url text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    -- 1 = followed, 2 = paused, 3 = left.
    status smallint NOT NULL,
    -- Whether every change of the owner is copied, under the origin's own positions.
    whole smallint NOT NULL,
    -- Where the feed goes on; 0 = from its beginning.
    place text NOT NULL,
    -- How far the copy is complete: the position and the recorded time of the last change at the origin.
    position bigint NOT NULL,
    complete_at timestamptz,
    received_at timestamptz,
    -- When the origin last said that there was nothing more.
    heard_at timestamptz,
    restarts integer NOT NULL,
    failures integer NOT NULL,
    failure text,
    -- The release of the information model that is missing here.
    needs_model text,
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL,
    PRIMARY KEY (name)
);

-- When which part of an owner's log came here: everything up to the position.
CREATE TABLE copy_batch (
    owner text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    -- The recorded time of its last change, at the origin.
    complete_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (owner, position)
);
CREATE INDEX copy_batch_received ON copy_batch (owner, received_at);
