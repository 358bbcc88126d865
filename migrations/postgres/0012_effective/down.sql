ALTER TABLE owner DROP COLUMN told_record;
ALTER TABLE owner DROP COLUMN told_day;
DROP INDEX change_by_version;
CREATE UNIQUE INDEX change_by_version ON change (owner, record_id, version);
ALTER TABLE change DROP COLUMN effective_on;
