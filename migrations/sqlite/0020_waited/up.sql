-- Identifiers by which references wait, or waited, in some version of a record: when the record is erased that has one it goes
-- from there as well.
CREATE TABLE waited_reference (
    owner TEXT NOT NULL,
    scheme TEXT NOT NULL,
    value TEXT NOT NULL,
    record_id BLOB NOT NULL,
    PRIMARY KEY (owner, scheme, value, record_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX waited_reference_by_record ON waited_reference (owner, record_id);
INSERT OR IGNORE INTO waited_reference (owner, scheme, value, record_id)
SELECT s.owner, json_extract(t.value, '$.scheme'), json_extract(t.value, '$.value'), s.record_id
FROM state s, json_tree(s.body) t
WHERE s.body LIKE '%"identifier":{%' AND t.key = 'identifier' AND t.type = 'object'
AND json_type(t.value, '$.scheme') = 'text' AND json_type(t.value, '$.value') = 'text';
