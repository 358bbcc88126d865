DROP TABLE raised_protection;
