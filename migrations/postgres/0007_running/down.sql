DROP INDEX load_to_prune;
ALTER TABLE load DROP COLUMN pruned;
DROP TABLE source_watch;
DROP TABLE load_task;
