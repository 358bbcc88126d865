-- Hand-overs of records from one owner to another, and hand-offs about persons, as each side keeps them (docs/transfers.md).
CREATE TABLE transfer (
    owner TEXT NOT NULL,
    id BLOB NOT NULL,
    -- 1 = a hand-over of records, 2 = a hand-off about a person.
    kind INTEGER NOT NULL,
    -- 1 = the giver's, 2 = the receiver's.
    side INTEGER NOT NULL,
    -- 1 = offered, 2 = accepted, 3 = received, 4 = done, 5 = refused, 6 = withdrawn.
    state INTEGER NOT NULL,
    -- The owner on the other side.
    other TEXT NOT NULL,
    -- What, with whom and how: JSON.
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;

-- Records that are being handed over: nothing is written to them until that is done or off.
CREATE TABLE transfer_record (
    owner TEXT NOT NULL,
    record_id BLOB NOT NULL,
    transfer_id BLOB NOT NULL,
    PRIMARY KEY (owner, record_id)
) STRICT, WITHOUT ROWID;
