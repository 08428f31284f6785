-- The ledger: an append-only Merkle tree of what happened to lots and animals. Ingest only queues digests; one writer
-- puts them into the tree and signs checkpoints (docs/traceability.md).

-- What is hashed of a sample: every stored column in this order, in PostgreSQL's binary form (record_send): an i32 count,
-- then for each column the type's number, an i32 length (-1: null) and the value. Decimals are text, as they are stored.
-- Personal columns are apart: they may be erased, their salted commitment may not.
CREATE VIEW sqal_ledger_records AS
SELECT time, sample_id, device_id, lot_id, ingested_at,
    record_send(ROW(
        time, sample_id::TEXT, device_id::TEXT, lot_id, vl53l8ch_distance_matrix, vl53l8ch_reflectance_matrix,
        vl53l8ch_amplitude_matrix, vl53l8ch_volume_mm3::TEXT, vl53l8ch_surface_uniformity::TEXT,
        vl53l8ch_quality_score::TEXT, vl53l8ch_grade::TEXT, as7341_channels, as7341_freshness_index::TEXT,
        as7341_fat_quality_index::TEXT, as7341_oxidation_index::TEXT, as7341_quality_score::TEXT,
        fusion_final_score::TEXT, fusion_final_grade::TEXT, fusion_is_compliant, site_code::TEXT, line::TEXT,
        ingested_at, boot_id, seq, piece_id::TEXT, origin::TEXT, hist, schema_version, clock_state::TEXT,
        clock_error_ms, agent::TEXT, recipe::TEXT, calibration_tof::TEXT, calibration_spectral::TEXT, reasons,
        quality_flags, vl53l8ch_status_matrix, vl53l8ch_ambient_matrix, vl53l8ch_avg_distance_mm,
        vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance, vl53l8ch_volume_mm3_u, vl53l8ch_surface_uniformity_u,
        vl53l8ch_quality_score_u, vl53l8ch_mass_g, vl53l8ch_mass_g_u, vl53l8ch_belt_distance_mm,
        as7341_ratio_red_nir, as7341_ratio_clear_nir, as7341_freshness_index_u, as7341_fat_quality_index_u,
        as7341_oxidation_index_u, as7341_quality_score_u, as7341_gain, as7341_integration_ms, as7341_led_ma,
        fusion_weight_tof, fusion_weight_spectral, fusion_confidence_level, fusion_final_score_u,
        fusion_grade_probability, cnh, firmware_version::TEXT, temperature_c, humidity_pct
    )) AS record,
    CASE WHEN num_nonnulls(location, lot_abattage, eleveur, provenance, meta) > 0 THEN
        record_send(ROW(location::TEXT, lot_abattage::TEXT, eleveur::TEXT, provenance::TEXT, meta))
    END AS personal
FROM sqal_sensor_samples;

-- Salts of the commitments to personal columns; erasing one makes the commitment say nothing.
CREATE TABLE sqal_ledger_salts (
    time TIMESTAMPTZ NOT NULL,
    device_id VARCHAR(100) NOT NULL,
    sample_id VARCHAR(100) NOT NULL,
    salt BYTEA NOT NULL,
    PRIMARY KEY (time, sample_id, device_id)
);

-- Personal and free parts of events, with the salt of their commitment; a row may be deleted, and is then 'erased'.
CREATE TABLE sqal_ledger_private (
    reference UUID PRIMARY KEY,
    salt BYTEA NOT NULL,
    document TEXT NOT NULL                    -- canonical JSON; its very bytes are committed to
);

-- What waits for the writer; filled in the transaction that stores the fact.
CREATE TABLE sqal_ledger_queue (
    queue_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry BYTEA,                              -- an event, encoded; null: a sample
    time TIMESTAMPTZ,
    device_id VARCHAR(100),
    sample_id VARCHAR(100),
    lot_id INTEGER,
    digest BYTEA,
    commitment BYTEA
);

-- The leaves. lot_id and subject are there to find entries; the entry says them too.
CREATE TABLE sqal_ledger (
    leaf_index BIGINT PRIMARY KEY,
    entry BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL,
    lot_id INTEGER,
    subject VARCHAR(200)
);
CREATE INDEX sqal_ledger_by_lot ON sqal_ledger (lot_id, leaf_index) WHERE lot_id IS NOT NULL;
CREATE INDEX sqal_ledger_by_subject ON sqal_ledger (subject, leaf_index) WHERE subject IS NOT NULL;

-- Roots of full subtrees of 2^height leaves, height 8, 16 and 24: a proof reads a few hundred hashes at most.
CREATE TABLE sqal_ledger_nodes (
    height SMALLINT NOT NULL,
    node_index BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (height, node_index)
);

-- One signed checkpoint for a size, for ever; committed before anybody sees it.
CREATE TABLE sqal_ledger_checkpoints (
    size BIGINT PRIMARY KEY,
    root BYTEA NOT NULL,
    time TIMESTAMPTZ NOT NULL,
    note TEXT NOT NULL
);

CREATE FUNCTION sqal_ledger_refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME;
END
$$;
CREATE TRIGGER sqal_ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sqal_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION sqal_ledger_refuse();
CREATE TRIGGER sqal_ledger_nodes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sqal_ledger_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION sqal_ledger_refuse();
CREATE TRIGGER sqal_ledger_checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sqal_ledger_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION sqal_ledger_refuse();

-- Queue the digests of samples that the caller has just inserted, where they have a lot.
CREATE FUNCTION sqal_ledger_enqueue(p_times TIMESTAMPTZ[], p_sample_ids TEXT[]) RETURNS BIGINT LANGUAGE SQL AS $$
    WITH fresh AS MATERIALIZED (
        SELECT r.time, r.device_id, r.sample_id, r.lot_id, sha256(r.record) AS digest, r.personal,
            -- two version 4 UUIDs: 244 bits of the server's strong randomness
            CASE WHEN r.personal IS NOT NULL THEN uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) END AS salt
        FROM unnest(p_times, p_sample_ids) AS k (time, sample_id)
        JOIN sqal_ledger_records AS r ON r.time = k.time AND r.sample_id = k.sample_id
        WHERE r.lot_id IS NOT NULL
    ), salted AS (
        INSERT INTO sqal_ledger_salts (time, device_id, sample_id, salt)
        SELECT time, device_id, sample_id, salt FROM fresh WHERE salt IS NOT NULL
    ), queued AS (
        INSERT INTO sqal_ledger_queue (time, device_id, sample_id, lot_id, digest, commitment)
        SELECT time, device_id, sample_id, lot_id, digest, CASE WHEN salt IS NOT NULL THEN sha256(salt || personal) END
        FROM fresh ORDER BY time, device_id, sample_id
        RETURNING 1
    )
    SELECT count(*) FROM queued
$$;
