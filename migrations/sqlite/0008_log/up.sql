-- The key with which positions in an owner's log are sealed for readers who are not shown the whole of it. It belongs to
-- this installation, and is in no lossless file.
CREATE TABLE feed_key (
    owner TEXT NOT NULL,
    secret BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (owner)
) STRICT, WITHOUT ROWID;
