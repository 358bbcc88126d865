DROP TABLE former_head;
