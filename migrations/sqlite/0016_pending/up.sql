-- References of what is believed now that lead nowhere yet: the identifier that they wait for, and the record that refers.
CREATE TABLE pending_reference (
    owner TEXT NOT NULL,
    scheme TEXT NOT NULL,
    value TEXT NOT NULL,
    record_id BLOB NOT NULL,
    domain INTEGER NOT NULL,
    PRIMARY KEY (owner, scheme, value, record_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_reference_by_record ON pending_reference (owner, record_id);
