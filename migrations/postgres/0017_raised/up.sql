-- The changes with which a record came under a stronger protection, or a longer one, than it had. Who follows the log and has
-- not come so far is told to read the record anew before anything else.
CREATE TABLE raised_protection (
    owner text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    record_id uuid NOT NULL,
    PRIMARY KEY (owner, position)
);
