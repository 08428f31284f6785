-- What a second analysis reads.

-- name: reanalysis_count
-- How many samples a period has.
SELECT COUNT(*) AS total FROM sqal_sensor_samples
WHERE time >= %(start)s AND time < %(end)s AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]));

-- name: reanalysis_samples
-- The samples of a period with all that was measured and found, the oldest first.
SELECT time, sample_id, device_id, site_code, lot_id, piece_id, recipe, calibration_tof, calibration_spectral, details,
    vl53l8ch_distance_matrix, vl53l8ch_reflectance_matrix, vl53l8ch_status_matrix, vl53l8ch_sigma_matrix,
    vl53l8ch_volume_mm3, vl53l8ch_volume_mm3_u, vl53l8ch_surface_uniformity, vl53l8ch_surface_uniformity_u,
    vl53l8ch_quality_score, vl53l8ch_quality_score_u, vl53l8ch_grade, vl53l8ch_mass_g, vl53l8ch_mass_g_u,
    vl53l8ch_avg_distance_mm, vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance, vl53l8ch_belt_distance_mm,
    as7341_channels, as7341_clear_halves, as7341_gain, as7341_integration_ms,
    as7341_freshness_index, as7341_freshness_index_u, as7341_fat_quality_index, as7341_fat_quality_index_u,
    as7341_oxidation_index, as7341_oxidation_index_u, as7341_quality_score, as7341_quality_score_u,
    as7341_ratio_red_nir, as7341_ratio_clear_nir,
    fusion_final_score, fusion_final_score_u, fusion_final_grade, fusion_is_compliant, fusion_confidence_level,
    fusion_grade_probability, quality_flags
FROM sqal_sensor_samples
WHERE time >= %(start)s AND time < %(end)s AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY time, sample_id LIMIT %(limit)s;
