-- Hand-overs of records from one owner to another, and hand-offs about persons, as each side keeps them (docs/transfers.md).
CREATE TABLE transfer (
    owner text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    -- 1 = a hand-over of records, 2 = a hand-off about a person.
    kind smallint NOT NULL,
    -- 1 = the giver's, 2 = the receiver's.
    side smallint NOT NULL,
    -- 1 = offered, 2 = accepted, 3 = received, 4 = done, 5 = refused, 6 = withdrawn.
    state smallint NOT NULL,
    -- The owner on the other side.
    other text COLLATE "C" NOT NULL,
    -- What, with whom and how: JSON.
    content text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (owner, id)
);

-- Records that are being handed over: nothing is written to them until that is done or off.
CREATE TABLE transfer_record (
    owner text COLLATE "C" NOT NULL,
    record_id uuid NOT NULL,
    transfer_id uuid NOT NULL,
    PRIMARY KEY (owner, record_id)
);
