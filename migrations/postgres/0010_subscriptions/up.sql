-- Webhooks: who is sent the entries of an owner's log, and how far each has come. The log itself is the queue.
CREATE TABLE subscription (
    owner text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    -- Counted up by every change that somebody makes, never by a delivery.
    version integer NOT NULL,
    -- 1 = to be verified, 2 = active, 3 = paused, 4 = stopped.
    state smallint NOT NULL,
    -- What is said of it: JSON.
    content text COLLATE "C" NOT NULL,
    -- Whose access it has: JSON.
    reader text COLLATE "C" NOT NULL,
    secret bytea NOT NULL,
    -- The secret before, and until when it signs as well.
    former_secret bytea,
    former_until timestamptz,
    created_at timestamptz NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    changed_at timestamptz NOT NULL,
    verified_at timestamptz,
    -- Requests a minute that the target takes; NULL = any number.
    rate integer,
    -- Why it is stopped.
    reason text COLLATE "C",
    -- How far it has come, as a cursor of the feed says it.
    position bigint NOT NULL,
    since timestamptz NOT NULL,
    begun timestamptz,
    rights bytea NOT NULL,
    -- The process that delivers it, and until when that is taken to be alive.
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL,
    -- After a failure: how often in a row, since when, why, and when it is tried again.
    failures integer NOT NULL,
    failing_since timestamptz,
    failure text COLLATE "C",
    next_at timestamptz,
    succeeded_at timestamptz,
    -- The number of its last delivery.
    deliveries bigint NOT NULL,
    -- The delivery that somebody has asked to be sent again.
    again bigint,
    PRIMARY KEY (owner, id)
);

-- What was sent: never what stood in it.
CREATE TABLE subscription_delivery (
    owner text COLLATE "C" NOT NULL,
    subscription_id uuid NOT NULL,
    number bigint NOT NULL,
    -- 1 = entries, 2 = a test, 3 = a sign of life, 4 = that access has changed.
    kind smallint NOT NULL,
    sent_at timestamptz NOT NULL,
    again_of bigint,
    from_position bigint NOT NULL,
    from_since timestamptz NOT NULL,
    from_begun timestamptz,
    to_position bigint NOT NULL,
    entries integer NOT NULL,
    -- HTTP status; NULL = there was no answer.
    status smallint,
    millis integer NOT NULL,
    failure text COLLATE "C",
    PRIMARY KEY (owner, subscription_id, number)
);
