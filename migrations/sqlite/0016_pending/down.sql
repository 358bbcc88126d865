DROP TABLE pending_reference;
