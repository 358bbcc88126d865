DROP TABLE assertion_content;
DROP TABLE assertion;
DROP TABLE load_batch;
DROP TABLE load_row;
DROP TABLE load;
DROP TABLE source;
