DROP TABLE transfer_record;
DROP TABLE transfer;
