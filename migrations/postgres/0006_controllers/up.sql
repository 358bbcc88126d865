-- Whether an organisation answers for records: moving one that does changes what grants to a subtree reach.
CREATE INDEX record_by_controller ON record (owner, controller) WHERE controller IS NOT NULL;
