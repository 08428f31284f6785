-- What SQAL adds to lots of the customer's other system: nothing in their table, everything beside it.

-- Who decided what about a lot; the newest row says whether it is held. Persons and reasons are kept here only as long
-- as the row lives; the ledger has a salted commitment to them.
CREATE TABLE sqal_lot_decisions (
    decision_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lot_id INTEGER NOT NULL,
    decision VARCHAR(10) NOT NULL CHECK (decision IN ('hold', 'release')),
    reason VARCHAR(1000) NOT NULL,
    person VARCHAR(200) NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE INDEX sqal_lot_decisions_by_lot ON sqal_lot_decisions (lot_id, decision_id DESC);

-- Which lots a lot was made of.
CREATE TABLE sqal_lot_genealogy (
    parent_lot_id INTEGER NOT NULL,
    child_lot_id INTEGER NOT NULL,
    share DOUBLE PRECISION CHECK (share > 0 AND share <= 1),  -- of the parent that went into the child, where known
    noted_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    PRIMARY KEY (parent_lot_id, child_lot_id),
    CHECK (parent_lot_id <> child_lot_id)
);
CREATE INDEX sqal_lot_genealogy_by_child ON sqal_lot_genealogy (child_lot_id);

-- Whether the lots are ours to write: only a table that the first migration made is. It is marked by a comment, which
-- the customer's own table lacks; where the first migration made it before this one existed, its shape tells.
DO $$
BEGIN
    IF (SELECT array_agg(attname::TEXT ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = 'lots_gavage'::regclass AND attnum > 0 AND NOT attisdropped)
        = ARRAY['id', 'code_lot', 'site_code', 'gaveur_id', 'debut_lot', 'fin_lot', 'nb_canards', 'itm_moyen', 'statut']
    THEN
        COMMENT ON TABLE lots_gavage IS 'made by SQAL';
    END IF;
END
$$;
