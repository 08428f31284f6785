-- A figure of a sample by its short name, as charts and studies ask for it; NULL for a name that is none or a sample
-- that lacks it.
CREATE FUNCTION sqal_index_of(s sqal_sensor_samples, p_name TEXT) RETURNS DOUBLE PRECISION LANGUAGE SQL IMMUTABLE AS $$
    SELECT CASE p_name
        WHEN 'final_score' THEN s.fusion_final_score
        WHEN 'volume_mm3' THEN s.vl53l8ch_volume_mm3
        WHEN 'surface_uniformity' THEN s.vl53l8ch_surface_uniformity
        WHEN 'tof_score' THEN s.vl53l8ch_quality_score
        WHEN 'mass_g' THEN s.vl53l8ch_mass_g
        WHEN 'belt_distance_mm' THEN s.vl53l8ch_belt_distance_mm
        WHEN 'freshness_index' THEN s.as7341_freshness_index
        WHEN 'fat_quality_index' THEN s.as7341_fat_quality_index
        WHEN 'oxidation_index' THEN s.as7341_oxidation_index
        WHEN 'spectral_score' THEN s.as7341_quality_score
        ELSE COALESCE(s.details -> 'spectral' ->> p_name, s.details -> 'tof' ->> p_name)::FLOAT
    END::FLOAT
$$;
