-- What users, groups and clients of other issuers may do here. Not part of any owner's records: who administers an owner
-- sees and changes the grants that name it.
CREATE TABLE access_grant (
    id BLOB NOT NULL PRIMARY KEY,
    subject_kind INTEGER NOT NULL,
    subject TEXT NOT NULL,
    content TEXT NOT NULL,
    reason TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    ended_at INTEGER,
    ended_by TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX access_grant_by_subject ON access_grant (subject_kind, subject);
