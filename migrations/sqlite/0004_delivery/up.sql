-- What was handed over to an archive, by the rule that preserves it. No personal data.
CREATE TABLE archive_delivery (
    owner TEXT NOT NULL,
    id BLOB NOT NULL,
    rule BLOB NOT NULL,
    archive TEXT NOT NULL,
    reference TEXT NOT NULL,
    -- What had ended and was last changed before this day was in it.
    delivered INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;
