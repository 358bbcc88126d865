-- Registries that the changes of an owner of this one are brought to: they copy it and cannot reach it themselves. How far the
-- copy is they say.
CREATE TABLE push (
    name text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    -- Where to, what and with what: JSON.
    settings text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    -- 1 = sent, 2 = paused.
    status smallint NOT NULL,
    -- When the other registry last answered.
    heard_at timestamptz,
    failures integer NOT NULL,
    failure text,
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL,
    PRIMARY KEY (name)
);
