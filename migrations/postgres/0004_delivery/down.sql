DROP TABLE archive_delivery;
