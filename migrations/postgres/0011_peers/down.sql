DROP TABLE copy_batch;
DROP TABLE peer;
