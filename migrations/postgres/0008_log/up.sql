-- The key with which positions in an owner's log are sealed for readers who are not shown the whole of it. It belongs to
-- this installation, and is in no lossless file.
CREATE TABLE feed_key (
    owner text COLLATE "C" NOT NULL,
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (owner)
);
