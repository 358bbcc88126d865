-- Webhooks: who is sent the entries of an owner's log, and how far each has come. The log itself is the queue.
CREATE TABLE subscription (
    owner TEXT NOT NULL,
    id BLOB NOT NULL,
    -- Counted up by every change that somebody makes, never by a delivery.
    version INTEGER NOT NULL,
    -- 1 = to be verified, 2 = active, 3 = paused, 4 = stopped.
    state INTEGER NOT NULL,
    -- What is said of it: JSON.
    content TEXT NOT NULL,
    -- Whose access it has: JSON.
    reader TEXT NOT NULL,
    secret BLOB NOT NULL,
    -- The secret before, and until when it signs as well.
    former_secret BLOB,
    former_until INTEGER,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    verified_at INTEGER,
    -- Requests a minute that the target takes; NULL = any number.
    rate INTEGER,
    -- Why it is stopped.
    reason TEXT,
    -- How far it has come, as a cursor of the feed says it.
    position INTEGER NOT NULL,
    since INTEGER NOT NULL,
    begun INTEGER,
    rights BLOB NOT NULL,
    -- The process that delivers it, and until when that is taken to be alive.
    holder BLOB NOT NULL,
    held_until INTEGER NOT NULL,
    -- After a failure: how often in a row, since when, why, and when it is tried again.
    failures INTEGER NOT NULL,
    failing_since INTEGER,
    failure TEXT,
    next_at INTEGER,
    succeeded_at INTEGER,
    -- The number of its last delivery.
    deliveries INTEGER NOT NULL,
    -- The delivery that somebody has asked to be sent again.
    again INTEGER,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;

-- What was sent: never what stood in it.
CREATE TABLE subscription_delivery (
    owner TEXT NOT NULL,
    subscription_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    -- 1 = entries, 2 = a test, 3 = a sign of life, 4 = that access has changed.
    kind INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    again_of INTEGER,
    from_position INTEGER NOT NULL,
    from_since INTEGER NOT NULL,
    from_begun INTEGER,
    to_position INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    -- HTTP status; NULL = there was no answer.
    status INTEGER,
    millis INTEGER NOT NULL,
    failure TEXT,
    PRIMARY KEY (owner, subscription_id, number)
) STRICT, WITHOUT ROWID;
