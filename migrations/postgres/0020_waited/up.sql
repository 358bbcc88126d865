-- Identifiers by which references wait, or waited, in some version of a record: when the record is erased that has one it goes
-- from there as well.
CREATE TABLE waited_reference (
    owner text COLLATE "C" NOT NULL,
    scheme text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    record_id uuid NOT NULL,
    PRIMARY KEY (owner, scheme, value, record_id)
);
CREATE INDEX waited_reference_by_record ON waited_reference (owner, record_id);
INSERT INTO waited_reference (owner, scheme, value, record_id)
SELECT s.owner, t.named ->> 'scheme', t.named ->> 'value', s.record_id
FROM state s, jsonb_path_query(s.body::jsonb, '$.**.identifier') AS t (named)
WHERE s.body LIKE '%"identifier":{%' AND jsonb_typeof(t.named) = 'object'
AND jsonb_typeof(t.named -> 'scheme') = 'string' AND jsonb_typeof(t.named -> 'value') = 'string'
ON CONFLICT DO NOTHING;
