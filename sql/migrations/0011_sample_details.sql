-- What a second analysis of a sample needs beside the matrices, and what the first one found beyond the customer's columns.

ALTER TABLE sqal_sensor_samples
    ADD COLUMN vl53l8ch_sigma_matrix SMALLINT[8][8],   -- the chip's standard deviation of each distance, 1/128 mm
    ADD COLUMN as7341_clear_halves INTEGER[2],         -- Clear in the first and second half of the measurement
    ADD COLUMN details JSONB;                          -- tof and spectral: extents, anomalies, colour, pigments

CREATE OR REPLACE VIEW sqal_sensor_samples_json AS
SELECT time, sample_id, device_id, lot_id,
    to_jsonb(vl53l8ch_distance_matrix) AS vl53l8ch_distance_matrix,
    to_jsonb(vl53l8ch_reflectance_matrix) AS vl53l8ch_reflectance_matrix,
    to_jsonb(vl53l8ch_amplitude_matrix) AS vl53l8ch_amplitude_matrix,
    vl53l8ch_volume_mm3, vl53l8ch_surface_uniformity, vl53l8ch_quality_score, vl53l8ch_grade,
    jsonb_build_object(
        'F1_415nm', as7341_channels[1], 'F2_445nm', as7341_channels[2], 'F3_480nm', as7341_channels[3],
        'F4_515nm', as7341_channels[4], 'F5_555nm', as7341_channels[5], 'F6_590nm', as7341_channels[6],
        'F7_630nm', as7341_channels[7], 'F8_680nm', as7341_channels[8], 'Clear', as7341_channels[9],
        'NIR', as7341_channels[10]) AS as7341_channels,
    as7341_freshness_index, as7341_fat_quality_index, as7341_oxidation_index, as7341_quality_score,
    fusion_final_score, fusion_final_grade, fusion_is_compliant,
    site_code, line, ingested_at, boot_id, seq, piece_id, origin, hist, schema_version, clock_state, clock_error_ms,
    agent, recipe, calibration_tof, calibration_spectral, reasons, quality_flags,
    to_jsonb(vl53l8ch_status_matrix) AS vl53l8ch_status_matrix,
    to_jsonb(vl53l8ch_ambient_matrix) AS vl53l8ch_ambient_matrix,
    vl53l8ch_avg_distance_mm, vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance, vl53l8ch_volume_mm3_u,
    vl53l8ch_surface_uniformity_u, vl53l8ch_quality_score_u, vl53l8ch_mass_g, vl53l8ch_mass_g_u,
    vl53l8ch_belt_distance_mm, as7341_ratio_red_nir, as7341_ratio_clear_nir, as7341_freshness_index_u,
    as7341_fat_quality_index_u, as7341_oxidation_index_u, as7341_quality_score_u, as7341_gain, as7341_integration_ms,
    as7341_led_ma, fusion_weight_tof, fusion_weight_spectral, fusion_confidence_level, fusion_final_score_u,
    fusion_grade_probability, location, lot_abattage, eleveur, provenance, meta, cnh, firmware_version, temperature_c,
    humidity_pct,
    to_jsonb(vl53l8ch_sigma_matrix) AS vl53l8ch_sigma_matrix, as7341_clear_halves, details
FROM sqal_sensor_samples;
