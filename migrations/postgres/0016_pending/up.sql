-- References of what is believed now that lead nowhere yet: the identifier that they wait for, and the record that refers.
CREATE TABLE pending_reference (
    owner text COLLATE "C" NOT NULL,
    scheme text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    record_id uuid NOT NULL,
    domain smallint NOT NULL,
    PRIMARY KEY (owner, scheme, value, record_id)
);
CREATE INDEX pending_reference_by_record ON pending_reference (owner, record_id);
