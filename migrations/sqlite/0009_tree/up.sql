-- Each owner's log as a Merkle tree (RFC 9162; docs/log.md). The owner's row has the tree's frontier: over how many changes
-- it goes, and the hashes of the largest complete subtrees, one after the other.
ALTER TABLE owner ADD COLUMN epoch INTEGER NOT NULL DEFAULT 1;
ALTER TABLE owner ADD COLUMN tree_size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE owner ADD COLUMN tree_nodes BLOB NOT NULL DEFAULT x'';

-- The leaf of a change, and what opens it: the secret that its salts follow from or, where something was erased, what is
-- left part by part. Changes from before the tree have none until it has grown over them.
ALTER TABLE change ADD COLUMN leaf BLOB;
ALTER TABLE change ADD COLUMN opening BLOB;

-- The roots of complete subtrees of 256 leaves (level 1), 65,536 (level 2), and so on.
CREATE TABLE log_node (
    owner TEXT NOT NULL,
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (owner, level, number)
) STRICT, WITHOUT ROWID;

-- The epochs after the first: a log that was restored from a backup goes on after fork_position.
CREATE TABLE log_epoch (
    owner TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    fork_position INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    PRIMARY KEY (owner, epoch)
) STRICT, WITHOUT ROWID;

-- The keys that heads are signed with. They belong to this installation; of one that was replaced the seed is gone.
CREATE TABLE log_key (
    id TEXT NOT NULL PRIMARY KEY,
    public_key BLOB NOT NULL,
    seed BLOB,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT, WITHOUT ROWID;
