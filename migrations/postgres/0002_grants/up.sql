-- What users, groups and clients of other issuers may do here. Not part of any owner's records: who administers an owner
-- sees and changes the grants that name it.
CREATE TABLE access_grant (
    id uuid NOT NULL PRIMARY KEY,
    subject_kind smallint NOT NULL,
    subject text COLLATE "C" NOT NULL,
    content text COLLATE "C" NOT NULL,
    reason text COLLATE "C",
    created_at timestamptz NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    ended_at timestamptz,
    ended_by text COLLATE "C"
);
CREATE INDEX access_grant_by_subject ON access_grant (subject_kind, subject);
