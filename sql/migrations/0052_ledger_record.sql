-- Record 2 of a sample: record 1 and, behind it, what migration 0011 added to samples. Entries made so far hold digests of
-- record 1 and stay as they are; which one an entry's digests are of is its first byte (contract/chain.py).

CREATE OR REPLACE VIEW sqal_ledger_records AS
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
    END AS personal,
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
        fusion_grade_probability, cnh, firmware_version::TEXT, temperature_c, humidity_pct,
        vl53l8ch_sigma_matrix, as7341_clear_halves, details
    )) AS record_2
FROM sqal_sensor_samples;

ALTER TABLE sqal_ledger_queue ADD COLUMN record_version SMALLINT NOT NULL DEFAULT 1;

-- Queue the digests of samples that the caller has just inserted, where they have a lot.
CREATE OR REPLACE FUNCTION sqal_ledger_enqueue(p_times TIMESTAMPTZ[], p_sample_ids TEXT[]) RETURNS BIGINT LANGUAGE SQL AS $$
    WITH fresh AS MATERIALIZED (
        SELECT r.time, r.device_id, r.sample_id, r.lot_id, sha256(r.record_2) AS digest, r.personal,
            -- two version 4 UUIDs: 244 bits of the server's strong randomness
            CASE WHEN r.personal IS NOT NULL THEN uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) END AS salt
        FROM unnest(p_times, p_sample_ids) AS k (time, sample_id)
        JOIN sqal_ledger_records AS r ON r.time = k.time AND r.sample_id = k.sample_id
        WHERE r.lot_id IS NOT NULL
    ), salted AS (
        INSERT INTO sqal_ledger_salts (time, device_id, sample_id, salt)
        SELECT time, device_id, sample_id, salt FROM fresh WHERE salt IS NOT NULL
    ), queued AS (
        INSERT INTO sqal_ledger_queue (time, device_id, sample_id, lot_id, digest, commitment, record_version)
        SELECT time, device_id, sample_id, lot_id, digest, CASE WHEN salt IS NOT NULL THEN sha256(salt || personal) END, 2
        FROM fresh ORDER BY time, device_id, sample_id
        RETURNING 1
    )
    SELECT count(*) FROM queued
$$;
