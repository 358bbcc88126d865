DROP INDEX record_by_controller;
