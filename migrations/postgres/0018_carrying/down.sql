DROP TABLE transfer_task;
DROP TABLE directory_transfer;
