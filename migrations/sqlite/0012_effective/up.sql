-- What time itself does stands in the log: on this day something that was planned began, or something ended. Such an entry
-- makes no version of its record. 1 (0001-01-01) = a write.
ALTER TABLE change ADD COLUMN effective_on INTEGER NOT NULL DEFAULT 1;
DROP INDEX change_by_version;
-- At most one such entry for a record and a day and a version.
CREATE UNIQUE INDEX change_by_version ON change (owner, record_id, version, effective_on);

-- How far it has been told: the days up to this one, and of this one the records up to the one said (all when none is).
ALTER TABLE owner ADD COLUMN told_day INTEGER NOT NULL DEFAULT 1;
ALTER TABLE owner ADD COLUMN told_record BLOB;
-- What came before the last write of an owner is not told afterwards.
UPDATE owner SET told_day = last_instant / 86400000000 + 719163;
