DROP TABLE waited_reference;
