-- Views and functions that are the same with and without TimescaleDB.

-- A row that comes without its site (an INSERT written for the customer's table) takes site and line of its device.
CREATE FUNCTION sqal_fill_site() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT d.site_code, COALESCE(NEW.line, d.line) INTO NEW.site_code, NEW.line
    FROM sqal_devices d WHERE d.device_id = NEW.device_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER sqal_fill_site BEFORE INSERT ON sqal_sensor_samples
    FOR EACH ROW WHEN (NEW.site_code IS NULL) EXECUTE FUNCTION sqal_fill_site();

-- An 8 x 8 matrix of a JSON document; numbers are rounded, null stays null.
CREATE FUNCTION sqal_matrix(p_matrix JSONB) RETURNS SMALLINT[] LANGUAGE SQL IMMUTABLE AS $$
    SELECT array_agg(cells ORDER BY i)
    FROM (
        SELECT i, array_agg(ROUND(cell::NUMERIC)::SMALLINT ORDER BY j) AS cells
        FROM jsonb_array_elements(p_matrix) WITH ORDINALITY AS r (zones, i),
            jsonb_array_elements_text(zones) WITH ORDINALITY AS c (cell, j)
        GROUP BY i
    ) AS by_row
$$;

-- Ten channel counts of a JSON document: an object by channel name or a list in the chip's order.
CREATE FUNCTION sqal_channels(p_channels JSONB) RETURNS INTEGER[] LANGUAGE SQL IMMUTABLE AS $$
    SELECT CASE jsonb_typeof(p_channels)
        WHEN 'array' THEN (
            SELECT array_agg(ROUND(value::NUMERIC)::INTEGER ORDER BY n)
            FROM jsonb_array_elements_text(p_channels) WITH ORDINALITY AS c (value, n))
        ELSE (
            SELECT array_agg(ROUND((p_channels ->> name)::NUMERIC)::INTEGER ORDER BY n)
            FROM unnest(ARRAY['F1_415nm', 'F2_445nm', 'F3_480nm', 'F4_515nm', 'F5_555nm', 'F6_590nm', 'F7_630nm',
                'F8_680nm', 'Clear', 'NIR']) WITH ORDINALITY AS c (name, n))
        END
$$;

-- The samples with the customer's JSONB types: matrices as nested lists, channels as an object of ten.
CREATE VIEW sqal_sensor_samples_json AS
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
    humidity_pct
FROM sqal_sensor_samples;

-- The customer's own INSERT, with JSONB matrices, runs on the view; what it may set is the customer's columns.
CREATE FUNCTION sqal_insert_json_sample() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sqal_sensor_samples (time, sample_id, device_id, lot_id,
        vl53l8ch_distance_matrix, vl53l8ch_reflectance_matrix, vl53l8ch_amplitude_matrix,
        vl53l8ch_volume_mm3, vl53l8ch_surface_uniformity, vl53l8ch_quality_score, vl53l8ch_grade,
        as7341_channels, as7341_freshness_index, as7341_fat_quality_index, as7341_oxidation_index,
        as7341_quality_score, fusion_final_score, fusion_final_grade, fusion_is_compliant, site_code, line)
    VALUES (NEW.time, NEW.sample_id, NEW.device_id, NEW.lot_id,
        sqal_matrix(NEW.vl53l8ch_distance_matrix), sqal_matrix(NEW.vl53l8ch_reflectance_matrix),
        sqal_matrix(NEW.vl53l8ch_amplitude_matrix),
        NEW.vl53l8ch_volume_mm3, NEW.vl53l8ch_surface_uniformity, NEW.vl53l8ch_quality_score, NEW.vl53l8ch_grade,
        sqal_channels(NEW.as7341_channels), NEW.as7341_freshness_index, NEW.as7341_fat_quality_index,
        NEW.as7341_oxidation_index, NEW.as7341_quality_score, NEW.fusion_final_score, NEW.fusion_final_grade,
        COALESCE(NEW.fusion_is_compliant, TRUE), NEW.site_code, NEW.line);
    RETURN NEW;
END
$$;
CREATE TRIGGER sqal_insert_json_sample INSTEAD OF INSERT ON sqal_sensor_samples_json
    FOR EACH ROW EXECUTE FUNCTION sqal_insert_json_sample();

-- The newest sample, of one device or of all.
CREATE FUNCTION get_latest_sqal_sample(p_device_id VARCHAR DEFAULT NULL)
RETURNS SETOF sqal_sensor_samples_json LANGUAGE SQL STABLE AS $$
    SELECT * FROM sqal_sensor_samples_json
    WHERE (p_device_id IS NULL OR device_id = p_device_id)
    ORDER BY time DESC
    LIMIT 1
$$;

-- Exact figures of any period: whole hours from the statistics, the pieces at both ends from the samples.
CREATE FUNCTION get_sqal_stats_period(
    p_start TIMESTAMPTZ,
    p_end TIMESTAMPTZ,
    p_site_code VARCHAR DEFAULT NULL
) RETURNS TABLE (
    total_samples BIGINT,
    avg_quality_score NUMERIC,
    compliance_rate_pct DOUBLE PRECISION,
    count_a_plus BIGINT,
    count_a BIGINT,
    count_b BIGINT,
    count_c BIGINT,
    count_reject BIGINT,
    avg_volume_mm3 NUMERIC,
    avg_freshness_index NUMERIC
) LANGUAGE SQL STABLE AS $$
    WITH edges AS (
        SELECT LEAST(first_whole, p_end) AS head_end, GREATEST(first_whole, last_whole) AS whole_end, first_whole,
            CASE WHEN last_whole < first_whole THEN p_end ELSE last_whole END AS tail_start
        FROM (SELECT date_trunc('hour', p_start + INTERVAL '1 hour - 1 microsecond', 'UTC') AS first_whole,
                     date_trunc('hour', p_end, 'UTC') AS last_whole) AS hours
    ),
    parts AS (
        SELECT h.sample_count AS n, h.sum_quality_score AS score, h.count_compliant AS compliant, h.count_a_plus AS ap,
            h.count_a AS a, h.count_b AS b, h.count_c AS c, h.count_reject AS r, h.sum_volume_mm3 AS volume,
            h.count_volume AS volumes, h.sum_freshness_index AS fresh, h.count_freshness AS freshes
        FROM sqal_hourly_stats h, edges e
        WHERE h.bucket >= e.first_whole AND h.bucket < e.whole_end
            AND (p_site_code IS NULL OR h.site_code = p_site_code)
        UNION ALL
        SELECT 1, s.fusion_final_score, (s.fusion_is_compliant)::INTEGER, (s.fusion_final_grade = 'A+')::INTEGER,
            (s.fusion_final_grade = 'A')::INTEGER, (s.fusion_final_grade = 'B')::INTEGER,
            (s.fusion_final_grade = 'C')::INTEGER, (s.fusion_final_grade = 'REJECT')::INTEGER,
            COALESCE(s.vl53l8ch_volume_mm3, 0), (s.vl53l8ch_volume_mm3 IS NOT NULL)::INTEGER,
            COALESCE(s.as7341_freshness_index, 0), (s.as7341_freshness_index IS NOT NULL)::INTEGER
        FROM sqal_sensor_samples s, edges e
        WHERE ((s.time >= p_start AND s.time < e.head_end) OR (s.time >= e.tail_start AND s.time < p_end))
            AND (p_site_code IS NULL OR s.site_code = p_site_code)
    )
    SELECT COALESCE(SUM(n), 0)::BIGINT, SUM(score) / NULLIF(SUM(n), 0),
        SUM(compliant)::FLOAT / NULLIF(SUM(n), 0)::FLOAT * 100,
        COALESCE(SUM(ap), 0)::BIGINT, COALESCE(SUM(a), 0)::BIGINT, COALESCE(SUM(b), 0)::BIGINT,
        COALESCE(SUM(c), 0)::BIGINT, COALESCE(SUM(r), 0)::BIGINT,
        SUM(volume) / NULLIF(SUM(volumes), 0), SUM(fresh) / NULLIF(SUM(freshes), 0)
    FROM parts
$$;

-- Keep the dead letters within their bounds, oldest first; says how many went and counts them.
CREATE FUNCTION sqal_trim_dead_letters(p_age INTERVAL, p_bytes BIGINT) RETURNS BIGINT LANGUAGE SQL AS $$
    WITH gone AS (
        DELETE FROM sqal_dead_letters WHERE dead_letter_id IN (
            SELECT dead_letter_id FROM (
                SELECT dead_letter_id, last_at, SUM(payload_bytes) OVER (ORDER BY last_at DESC, dead_letter_id DESC)
                    AS bytes_so_far
                FROM sqal_dead_letters) AS newest_first
            WHERE bytes_so_far > p_bytes OR last_at < NOW() - p_age)
        RETURNING 1
    ), counted AS (
        INSERT INTO sqal_counters AS c (name, total)
        SELECT 'dead_letters_trimmed', COUNT(*) FROM gone HAVING COUNT(*) > 0
        ON CONFLICT (name) DO UPDATE SET total = c.total + EXCLUDED.total
    )
    SELECT COUNT(*) FROM gone
$$;
