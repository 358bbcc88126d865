-- Where the rows of a hand-over or hand-off are: asked for by its id, and by who is to receive it.
CREATE TABLE directory_transfer (
    id BLOB NOT NULL,
    giver TEXT NOT NULL,
    receiver TEXT NOT NULL,
    PRIMARY KEY (id, giver, receiver)
) STRICT, WITHOUT ROWID;
CREATE INDEX directory_transfer_receiver ON directory_transfer (receiver, id);
INSERT INTO directory_transfer (id, giver, receiver)
    SELECT DISTINCT t.id, CASE WHEN t.side = 1 THEN t.owner ELSE t.other END, CASE WHEN t.side = 1 THEN t.other ELSE t.owner END
    FROM transfer t WHERE true
    ON CONFLICT DO NOTHING;

-- Hand-overs that were accepted here and are not done: who carries them out, in whose name, and how often it was tried.
CREATE TABLE transfer_task (
    -- The receiver.
    owner TEXT NOT NULL,
    transfer_id BLOB NOT NULL,
    -- Who accepted: JSON.
    caller TEXT NOT NULL,
    controller BLOB,
    attempts INTEGER NOT NULL,
    -- Why the last attempt did not come to the end.
    failure TEXT,
    holder BLOB NOT NULL,
    -- Nobody else tries it before.
    held_until INTEGER NOT NULL,
    PRIMARY KEY (owner, transfer_id)
) STRICT, WITHOUT ROWID;
