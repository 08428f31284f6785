-- Samples: staged by binary COPY, then moved over in one statement.

-- name: create_stage_samples
-- Where a batch of samples arrives; one for each connection, empty after each commit. `n` is the place in the batch.
CREATE TEMP TABLE IF NOT EXISTS stage_samples (
    n int4, time timestamptz, sample_id text, device_id text, lot_id int4, vl53l8ch_volume_mm3 float8,
    vl53l8ch_surface_uniformity float8, vl53l8ch_quality_score float8, vl53l8ch_grade text,
    as7341_freshness_index float8, as7341_fat_quality_index float8, as7341_oxidation_index float8,
    as7341_quality_score float8, fusion_final_score float8, fusion_final_grade text, fusion_is_compliant bool,
    boot_id uuid, seq int8, piece_id text, origin text, hist bool, schema_version int4, agent text, recipe text,
    vl53l8ch_avg_distance_mm float8, vl53l8ch_std_distance_mm float8, vl53l8ch_avg_reflectance float8,
    vl53l8ch_volume_mm3_u float8, vl53l8ch_surface_uniformity_u float8, vl53l8ch_quality_score_u float8,
    vl53l8ch_mass_g float8, vl53l8ch_mass_g_u float8, vl53l8ch_belt_distance_mm float8, as7341_ratio_red_nir float8,
    as7341_ratio_clear_nir float8, as7341_freshness_index_u float8, as7341_fat_quality_index_u float8,
    as7341_oxidation_index_u float8, as7341_quality_score_u float8, as7341_gain float8, as7341_integration_ms float8,
    as7341_led_ma float8, fusion_weight_tof float8, fusion_weight_spectral float8, fusion_confidence_level float8,
    fusion_final_score_u float8, fusion_grade_probability float8, location text, lot_abattage text, eleveur text,
    provenance text, firmware_version text, temperature_c float8, humidity_pct float8, site_code text, line text,
    clock_state text, clock_error_ms float8, calibration_tof text, calibration_spectral text,
    vl53l8ch_distance_matrix int2[], vl53l8ch_reflectance_matrix int2[], vl53l8ch_amplitude_matrix int2[],
    vl53l8ch_status_matrix int2[], vl53l8ch_ambient_matrix int2[], as7341_channels int4[], reasons jsonb,
    quality_flags text[], meta jsonb, cnh jsonb,
    vl53l8ch_sigma_matrix int2[], as7341_clear_halves int4[], details jsonb
) ON COMMIT DELETE ROWS;

-- name: copy_stage_samples
-- The way in; the order of columns is that of cloud.store.samples.
COPY stage_samples (
    n, time, sample_id, device_id, lot_id, vl53l8ch_volume_mm3, vl53l8ch_surface_uniformity, vl53l8ch_quality_score,
    vl53l8ch_grade, as7341_freshness_index, as7341_fat_quality_index, as7341_oxidation_index, as7341_quality_score,
    fusion_final_score, fusion_final_grade, fusion_is_compliant, boot_id, seq, piece_id, origin, hist, schema_version,
    agent, recipe, vl53l8ch_avg_distance_mm, vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance,
    vl53l8ch_volume_mm3_u, vl53l8ch_surface_uniformity_u, vl53l8ch_quality_score_u, vl53l8ch_mass_g,
    vl53l8ch_mass_g_u, vl53l8ch_belt_distance_mm, as7341_ratio_red_nir, as7341_ratio_clear_nir,
    as7341_freshness_index_u, as7341_fat_quality_index_u, as7341_oxidation_index_u, as7341_quality_score_u,
    as7341_gain, as7341_integration_ms, as7341_led_ma, fusion_weight_tof, fusion_weight_spectral,
    fusion_confidence_level, fusion_final_score_u, fusion_grade_probability, location, lot_abattage, eleveur,
    provenance, firmware_version, temperature_c, humidity_pct, site_code, line, clock_state, clock_error_ms,
    calibration_tof, calibration_spectral, vl53l8ch_distance_matrix, vl53l8ch_reflectance_matrix,
    vl53l8ch_amplitude_matrix, vl53l8ch_status_matrix, vl53l8ch_ambient_matrix, as7341_channels, reasons,
    quality_flags, meta, cnh, vl53l8ch_sigma_matrix, as7341_clear_halves, details
) FROM STDIN (FORMAT BINARY);

-- name: delete_renumbered
-- Take from the stage, out of some places, what bears the number of a stored sample of another time.
DELETE FROM stage_samples AS stage
WHERE stage.n = ANY(%(places)s) AND EXISTS (
    SELECT FROM sqal_sensor_samples AS stored
    WHERE stored.device_id = stage.device_id AND stored.boot_id = stage.boot_id AND stored.seq = stage.seq
        AND stored.time <> stage.time)
RETURNING stage.n;

-- name: delete_staged
-- Take some places from the stage.
DELETE FROM stage_samples WHERE n = ANY(%(places)s);

-- name: insert_samples
-- Move the stage over; what is there already stays as it is. Says which rows are new. A lot that does not exist is
-- stored as no lot, with a flag: the measurement is worth more than the reference.
INSERT INTO sqal_sensor_samples (
    time, sample_id, device_id, lot_id, vl53l8ch_volume_mm3, vl53l8ch_surface_uniformity, vl53l8ch_quality_score,
    vl53l8ch_grade, as7341_freshness_index, as7341_fat_quality_index, as7341_oxidation_index, as7341_quality_score,
    fusion_final_score, fusion_final_grade, fusion_is_compliant, boot_id, seq, piece_id, origin, hist, schema_version,
    agent, recipe, vl53l8ch_avg_distance_mm, vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance,
    vl53l8ch_volume_mm3_u, vl53l8ch_surface_uniformity_u, vl53l8ch_quality_score_u, vl53l8ch_mass_g,
    vl53l8ch_mass_g_u, vl53l8ch_belt_distance_mm, as7341_ratio_red_nir, as7341_ratio_clear_nir,
    as7341_freshness_index_u, as7341_fat_quality_index_u, as7341_oxidation_index_u, as7341_quality_score_u,
    as7341_gain, as7341_integration_ms, as7341_led_ma, fusion_weight_tof, fusion_weight_spectral,
    fusion_confidence_level, fusion_final_score_u, fusion_grade_probability, location, lot_abattage, eleveur,
    provenance, firmware_version, temperature_c, humidity_pct, site_code, line, clock_state, clock_error_ms,
    calibration_tof, calibration_spectral, vl53l8ch_distance_matrix, vl53l8ch_reflectance_matrix,
    vl53l8ch_amplitude_matrix, vl53l8ch_status_matrix, vl53l8ch_ambient_matrix, as7341_channels, reasons,
    quality_flags, meta, cnh, vl53l8ch_sigma_matrix, as7341_clear_halves, details
)
SELECT
    time, sample_id, device_id, known.lot_id, vl53l8ch_volume_mm3, vl53l8ch_surface_uniformity,
    vl53l8ch_quality_score, vl53l8ch_grade, as7341_freshness_index, as7341_fat_quality_index, as7341_oxidation_index,
    as7341_quality_score, fusion_final_score, fusion_final_grade, fusion_is_compliant, boot_id, seq, piece_id, origin,
    hist, schema_version, agent, recipe, vl53l8ch_avg_distance_mm, vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance,
    vl53l8ch_volume_mm3_u, vl53l8ch_surface_uniformity_u, vl53l8ch_quality_score_u, vl53l8ch_mass_g,
    vl53l8ch_mass_g_u, vl53l8ch_belt_distance_mm, as7341_ratio_red_nir, as7341_ratio_clear_nir,
    as7341_freshness_index_u, as7341_fat_quality_index_u, as7341_oxidation_index_u, as7341_quality_score_u,
    as7341_gain, as7341_integration_ms, as7341_led_ma, fusion_weight_tof, fusion_weight_spectral,
    fusion_confidence_level, fusion_final_score_u, fusion_grade_probability, location, lot_abattage, eleveur,
    provenance, firmware_version, temperature_c, humidity_pct, site_code, line, clock_state, clock_error_ms,
    calibration_tof, calibration_spectral, vl53l8ch_distance_matrix, vl53l8ch_reflectance_matrix,
    vl53l8ch_amplitude_matrix, vl53l8ch_status_matrix, vl53l8ch_ambient_matrix, as7341_channels, reasons,
    CASE WHEN stage.lot_id IS NOT NULL AND known.lot_id IS NULL THEN quality_flags || ARRAY['unknown_lot'] ELSE quality_flags END,
    meta, cnh, vl53l8ch_sigma_matrix, as7341_clear_halves, details
FROM stage_samples AS stage,
    LATERAL (SELECT (SELECT lots_gavage.id FROM lots_gavage WHERE lots_gavage.id = stage.lot_id) AS lot_id) AS known
ON CONFLICT DO NOTHING
RETURNING time, sample_id, lot_id;

-- name: compare_samples
-- For staged rows that were not new: does the stored row say the same? Not compared is what ingest itself fills in, and
-- `hist`, which says how a message travelled. What came by WebSocket is numbered by the server, anew in each connection:
-- a sender that reconnects and repeats itself says the same under another number.
SELECT stage.n, COALESCE(bool_or(
        ROW(
            stored.time, stored.sample_id, stored.device_id, stored.vl53l8ch_volume_mm3,
            stored.vl53l8ch_surface_uniformity, stored.vl53l8ch_quality_score, stored.vl53l8ch_grade,
            stored.as7341_freshness_index, stored.as7341_fat_quality_index, stored.as7341_oxidation_index,
            stored.as7341_quality_score, stored.fusion_final_score, stored.fusion_final_grade,
            stored.fusion_is_compliant, stored.boot_id, stored.seq, stored.piece_id, stored.schema_version,
            stored.agent, stored.recipe, stored.vl53l8ch_avg_distance_mm, stored.vl53l8ch_std_distance_mm,
            stored.vl53l8ch_avg_reflectance, stored.vl53l8ch_volume_mm3_u, stored.vl53l8ch_surface_uniformity_u,
            stored.vl53l8ch_quality_score_u, stored.vl53l8ch_mass_g, stored.vl53l8ch_mass_g_u,
            stored.vl53l8ch_belt_distance_mm, stored.as7341_ratio_red_nir, stored.as7341_ratio_clear_nir,
            stored.as7341_freshness_index_u, stored.as7341_fat_quality_index_u, stored.as7341_oxidation_index_u,
            stored.as7341_quality_score_u, stored.as7341_gain, stored.as7341_integration_ms, stored.as7341_led_ma,
            stored.fusion_weight_tof, stored.fusion_weight_spectral, stored.fusion_confidence_level,
            stored.fusion_final_score_u, stored.fusion_grade_probability, stored.location, stored.lot_abattage,
            stored.eleveur, stored.provenance, stored.firmware_version, stored.temperature_c, stored.humidity_pct,
            stored.clock_state, stored.clock_error_ms, stored.calibration_tof, stored.calibration_spectral,
            stored.vl53l8ch_distance_matrix, stored.vl53l8ch_reflectance_matrix, stored.vl53l8ch_amplitude_matrix,
            stored.vl53l8ch_status_matrix, stored.vl53l8ch_ambient_matrix, stored.as7341_channels, stored.reasons,
            stored.meta, stored.cnh, stored.vl53l8ch_sigma_matrix, stored.as7341_clear_halves, stored.details
        ) IS NOT DISTINCT FROM ROW(
            stage.time, stage.sample_id, stage.device_id, stage.vl53l8ch_volume_mm3::DECIMAL(10,2),
            stage.vl53l8ch_surface_uniformity::DECIMAL(5,4), stage.vl53l8ch_quality_score::DECIMAL(5,4),
            stage.vl53l8ch_grade, stage.as7341_freshness_index::DECIMAL(5,4),
            stage.as7341_fat_quality_index::DECIMAL(5,4), stage.as7341_oxidation_index::DECIMAL(5,4),
            stage.as7341_quality_score::DECIMAL(5,4), stage.fusion_final_score::DECIMAL(5,4),
            stage.fusion_final_grade, stage.fusion_is_compliant,
            CASE WHEN stage.origin = 'ws' THEN stored.boot_id ELSE stage.boot_id END,
            CASE WHEN stage.origin = 'ws' THEN stored.seq ELSE stage.seq END, stage.piece_id,
            stage.schema_version, stage.agent, stage.recipe, stage.vl53l8ch_avg_distance_mm,
            stage.vl53l8ch_std_distance_mm, stage.vl53l8ch_avg_reflectance, stage.vl53l8ch_volume_mm3_u,
            stage.vl53l8ch_surface_uniformity_u, stage.vl53l8ch_quality_score_u, stage.vl53l8ch_mass_g,
            stage.vl53l8ch_mass_g_u, stage.vl53l8ch_belt_distance_mm, stage.as7341_ratio_red_nir,
            stage.as7341_ratio_clear_nir, stage.as7341_freshness_index_u, stage.as7341_fat_quality_index_u,
            stage.as7341_oxidation_index_u, stage.as7341_quality_score_u, stage.as7341_gain,
            stage.as7341_integration_ms, stage.as7341_led_ma, stage.fusion_weight_tof, stage.fusion_weight_spectral,
            stage.fusion_confidence_level, stage.fusion_final_score_u, stage.fusion_grade_probability, stage.location,
            stage.lot_abattage, stage.eleveur, stage.provenance, stage.firmware_version, stage.temperature_c,
            stage.humidity_pct, stage.clock_state, stage.clock_error_ms, stage.calibration_tof,
            stage.calibration_spectral, stage.vl53l8ch_distance_matrix, stage.vl53l8ch_reflectance_matrix,
            stage.vl53l8ch_amplitude_matrix, stage.vl53l8ch_status_matrix, stage.vl53l8ch_ambient_matrix,
            stage.as7341_channels, stage.reasons, stage.meta, stage.cnh,
            stage.vl53l8ch_sigma_matrix, stage.as7341_clear_halves, stage.details
        )), FALSE) AS is_same
FROM stage_samples AS stage
LEFT JOIN LATERAL (
    SELECT * FROM sqal_sensor_samples AS by_id WHERE by_id.time = stage.time AND by_id.sample_id = stage.sample_id
    UNION ALL
    SELECT * FROM sqal_sensor_samples AS by_number
    WHERE by_number.device_id = stage.device_id AND by_number.boot_id = stage.boot_id AND by_number.seq = stage.seq
        AND by_number.time = stage.time AND by_number.sample_id <> stage.sample_id
) AS stored ON TRUE
WHERE stage.n = ANY(%(places)s)
GROUP BY stage.n;
