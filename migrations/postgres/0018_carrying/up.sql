-- Where the rows of a hand-over or hand-off are: asked for by its id, and by who is to receive it.
CREATE TABLE directory_transfer (
    id uuid NOT NULL,
    giver text COLLATE "C" NOT NULL,
    receiver text COLLATE "C" NOT NULL,
    PRIMARY KEY (id, giver, receiver)
);
CREATE INDEX directory_transfer_receiver ON directory_transfer (receiver, id);
INSERT INTO directory_transfer (id, giver, receiver)
    SELECT DISTINCT t.id, CASE WHEN t.side = 1 THEN t.owner ELSE t.other END, CASE WHEN t.side = 1 THEN t.other ELSE t.owner END
    FROM transfer t
    ON CONFLICT DO NOTHING;

-- Hand-overs that were accepted here and are not done: who carries them out, in whose name, and how often it was tried.
CREATE TABLE transfer_task (
    -- The receiver.
    owner text COLLATE "C" NOT NULL,
    transfer_id uuid NOT NULL,
    -- Who accepted: JSON.
    caller text NOT NULL,
    controller uuid,
    attempts integer NOT NULL,
    -- Why the last attempt did not come to the end.
    failure text,
    holder uuid NOT NULL,
    -- Nobody else tries it before.
    held_until timestamptz NOT NULL,
    PRIMARY KEY (owner, transfer_id)
);
