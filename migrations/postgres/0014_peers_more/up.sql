-- Packages of the information model that came from peers, with the records that need them.
CREATE TABLE model_package (
    name text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    -- SHA-256 over its files, in hexadecimal.
    digest text NOT NULL,
    -- Its files: a JSON object of their paths, each with the content in base64.
    files text NOT NULL,
    -- The address of the registry that it came from.
    url text NOT NULL,
    installed_at timestamptz NOT NULL,
    PRIMARY KEY (name, version)
);

-- The keys of a peer's log that are trusted: a JSON list, each in base64. None = the first that are seen will be.
ALTER TABLE peer ADD COLUMN log_keys text;
-- From which position on a whole copy has leaves of its own, as the origin did not tell what its own are made of.
ALTER TABLE peer ADD COLUMN unproven_from bigint;

-- In which epoch of the origin's log the place stands; the epochs of the copy's own log are those of its owner.
ALTER TABLE peer ADD COLUMN origin_epoch bigint;
UPDATE peer SET origin_epoch = (SELECT o.epoch FROM owner o WHERE o.key = peer.owner) WHERE whole = 1;
-- Whether it refers to records that are not here: they may come with another copy.
ALTER TABLE peer ADD COLUMN dangles smallint NOT NULL DEFAULT 1;

-- Which key has signed this one when it was put in its place, and how.
ALTER TABLE log_key ADD COLUMN endorsed_by text;
ALTER TABLE log_key ADD COLUMN endorsement bytea;
