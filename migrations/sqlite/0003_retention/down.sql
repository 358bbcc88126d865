DROP TABLE disposal;
DROP TABLE record_mark;
DROP TABLE retention_rule;
