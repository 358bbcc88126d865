ALTER TABLE log_key DROP COLUMN endorsement;
ALTER TABLE log_key DROP COLUMN endorsed_by;
ALTER TABLE peer DROP COLUMN dangles;
ALTER TABLE peer DROP COLUMN origin_epoch;
ALTER TABLE peer DROP COLUMN unproven_from;
ALTER TABLE peer DROP COLUMN log_keys;
DROP TABLE model_package;
