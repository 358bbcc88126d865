DROP TABLE log_key;
DROP TABLE log_epoch;
DROP TABLE log_node;
ALTER TABLE change DROP COLUMN opening;
ALTER TABLE change DROP COLUMN leaf;
ALTER TABLE owner DROP COLUMN tree_nodes;
ALTER TABLE owner DROP COLUMN tree_size;
ALTER TABLE owner DROP COLUMN epoch;
