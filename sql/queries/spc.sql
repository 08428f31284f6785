-- Figures in the order of time, for control charts. An index is named by its column without the sensor's prefix where
-- that is plain; a piece that was measured several times is one value, the mean.

-- name: spc_values
-- The newest values of an index in a period, one for each piece (or sample), the oldest first.
WITH measured AS (
    SELECT time, device_id, piece_id, sample_id, CASE %(index)s::TEXT
            WHEN 'final_score' THEN fusion_final_score WHEN 'volume_mm3' THEN vl53l8ch_volume_mm3
            WHEN 'surface_uniformity' THEN vl53l8ch_surface_uniformity WHEN 'tof_score' THEN vl53l8ch_quality_score
            WHEN 'mass_g' THEN vl53l8ch_mass_g WHEN 'belt_distance_mm' THEN vl53l8ch_belt_distance_mm
            WHEN 'freshness_index' THEN as7341_freshness_index WHEN 'fat_quality_index' THEN as7341_fat_quality_index
            WHEN 'oxidation_index' THEN as7341_oxidation_index WHEN 'spectral_score' THEN as7341_quality_score
            ELSE COALESCE(details -> 'spectral' ->> %(index)s::TEXT, details -> 'tof' ->> %(index)s::TEXT)::FLOAT
        END::FLOAT AS value
    FROM sqal_sensor_samples
    WHERE time >= %(start)s AND time < %(end)s AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
        AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
        AND (%(lot_id)s::INTEGER IS NULL OR lot_id = %(lot_id)s)
), pieces AS (
    SELECT MIN(time) AS time, AVG(value) AS value, MIN(sample_id) AS sample_id
    FROM measured WHERE value IS NOT NULL
    GROUP BY device_id, CASE WHEN %(by_piece)s::BOOLEAN AND piece_id IS NOT NULL THEN piece_id ELSE sample_id END
)
SELECT * FROM (SELECT time, value, sample_id FROM pieces ORDER BY time DESC, sample_id DESC LIMIT %(limit)s) AS newest
ORDER BY time, sample_id;

-- name: spc_buckets
-- The same, averaged over spans of equal length: what a long period looks like from afar.
WITH measured AS (
    SELECT time, CASE %(index)s::TEXT
            WHEN 'final_score' THEN fusion_final_score WHEN 'volume_mm3' THEN vl53l8ch_volume_mm3
            WHEN 'surface_uniformity' THEN vl53l8ch_surface_uniformity WHEN 'tof_score' THEN vl53l8ch_quality_score
            WHEN 'mass_g' THEN vl53l8ch_mass_g WHEN 'belt_distance_mm' THEN vl53l8ch_belt_distance_mm
            WHEN 'freshness_index' THEN as7341_freshness_index WHEN 'fat_quality_index' THEN as7341_fat_quality_index
            WHEN 'oxidation_index' THEN as7341_oxidation_index WHEN 'spectral_score' THEN as7341_quality_score
            ELSE COALESCE(details -> 'spectral' ->> %(index)s::TEXT, details -> 'tof' ->> %(index)s::TEXT)::FLOAT
        END::FLOAT AS value
    FROM sqal_sensor_samples
    WHERE time >= %(start)s AND time < %(end)s AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
        AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
        AND (%(lot_id)s::INTEGER IS NULL OR lot_id = %(lot_id)s)
)
SELECT date_bin(make_interval(secs => %(bucket_s)s), time, %(start)s::TIMESTAMPTZ) AS time, AVG(value) AS value,
    COUNT(value) AS n, MIN(value) AS least, MAX(value) AS most
FROM measured WHERE value IS NOT NULL
GROUP BY 1 ORDER BY 1;

-- name: spc_of_samples
-- An index of some samples by their ids, within the caller's sites.
SELECT sample_id, CASE %(index)s::TEXT
        WHEN 'final_score' THEN fusion_final_score WHEN 'volume_mm3' THEN vl53l8ch_volume_mm3
        WHEN 'surface_uniformity' THEN vl53l8ch_surface_uniformity WHEN 'tof_score' THEN vl53l8ch_quality_score
        WHEN 'mass_g' THEN vl53l8ch_mass_g WHEN 'belt_distance_mm' THEN vl53l8ch_belt_distance_mm
        WHEN 'freshness_index' THEN as7341_freshness_index WHEN 'fat_quality_index' THEN as7341_fat_quality_index
        WHEN 'oxidation_index' THEN as7341_oxidation_index WHEN 'spectral_score' THEN as7341_quality_score
        ELSE COALESCE(details -> 'spectral' ->> %(index)s::TEXT, details -> 'tof' ->> %(index)s::TEXT)::FLOAT
    END::FLOAT AS value
FROM sqal_sensor_samples
WHERE sample_id = ANY (%(sample_ids)s::TEXT[])
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]));
