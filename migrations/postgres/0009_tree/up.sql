-- Each owner's log as a Merkle tree (RFC 9162; docs/log.md). The owner's row has the tree's frontier: over how many changes
-- it goes, and the hashes of the largest complete subtrees, one after the other.
ALTER TABLE owner ADD COLUMN epoch bigint NOT NULL DEFAULT 1;
ALTER TABLE owner ADD COLUMN tree_size bigint NOT NULL DEFAULT 0;
ALTER TABLE owner ADD COLUMN tree_nodes bytea NOT NULL DEFAULT '';

-- The leaf of a change, and what opens it: the secret that its salts follow from or, where something was erased, what is
-- left part by part. Changes from before the tree have none until it has grown over them.
ALTER TABLE change ADD COLUMN leaf bytea;
ALTER TABLE change ADD COLUMN opening bytea;

-- The roots of complete subtrees of 256 leaves (level 1), 65,536 (level 2), and so on.
CREATE TABLE log_node (
    owner text COLLATE "C" NOT NULL,
    level smallint NOT NULL,
    number bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (owner, level, number)
);

-- The epochs after the first: a log that was restored from a backup goes on after fork_position.
CREATE TABLE log_epoch (
    owner text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    fork_position bigint NOT NULL,
    begun_at timestamptz NOT NULL,
    PRIMARY KEY (owner, epoch)
);

-- The keys that heads are signed with. They belong to this installation; of one that was replaced the seed is gone.
CREATE TABLE log_key (
    id text COLLATE "C" NOT NULL,
    public_key bytea NOT NULL,
    seed bytea,
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    PRIMARY KEY (id)
);
