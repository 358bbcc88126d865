-- Who was responsible for a record, and where it came from, until something else was recorded. Only of records of which that
-- has changed: of the others the head says it for all of recorded time.
CREATE TABLE former_head (
    owner text COLLATE "C" NOT NULL,
    record_id uuid NOT NULL,
    superseded_at timestamptz NOT NULL,
    controller uuid,
    origin text,
    PRIMARY KEY (owner, record_id, superseded_at)
);
