-- What was handed over to an archive, by the rule that preserves it. No personal data.
CREATE TABLE archive_delivery (
    owner text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    rule uuid NOT NULL,
    archive text NOT NULL,
    reference text NOT NULL,
    -- What had ended and was last changed before this day was in it.
    delivered date NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (owner, id)
);
