-- Packages of the information model that came from peers, with the records that need them.
CREATE TABLE model_package (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    -- SHA-256 over its files, in hexadecimal.
    digest TEXT NOT NULL,
    -- Its files: a JSON object of their paths, each with the content in base64.
    files TEXT NOT NULL,
    -- The address of the registry that it came from.
    url TEXT NOT NULL,
    installed_at INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

-- The keys of a peer's log that are trusted: a JSON list, each in base64. None = the first that are seen will be.
ALTER TABLE peer ADD COLUMN log_keys TEXT;
-- From which position on a whole copy has leaves of its own, as the origin did not tell what its own are made of.
ALTER TABLE peer ADD COLUMN unproven_from INTEGER;

-- In which epoch of the origin's log the place stands; the epochs of the copy's own log are those of its owner.
ALTER TABLE peer ADD COLUMN origin_epoch INTEGER;
UPDATE peer SET origin_epoch = (SELECT o.epoch FROM owner o WHERE o.key = peer.owner) WHERE whole = 1;
-- Whether it refers to records that are not here: they may come with another copy.
ALTER TABLE peer ADD COLUMN dangles INTEGER NOT NULL DEFAULT 1;

-- Which key has signed this one when it was put in its place, and how.
ALTER TABLE log_key ADD COLUMN endorsed_by TEXT;
ALTER TABLE log_key ADD COLUMN endorsement BLOB;
