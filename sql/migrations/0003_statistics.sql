-- Statistics on plain PostgreSQL: kept up to date by every INSERT, so they are never late and never need the samples
-- again. They keep sums and counts: longer periods add up what shorter ones hold and never average averages.

CREATE TABLE sqal_stats_hours (
    bucket TIMESTAMPTZ NOT NULL,
    device_id VARCHAR(100) NOT NULL,
    site_code VARCHAR(2),
    line VARCHAR(100),
    sample_count BIGINT NOT NULL,
    count_a_plus BIGINT NOT NULL,
    count_a BIGINT NOT NULL,
    count_b BIGINT NOT NULL,
    count_c BIGINT NOT NULL,
    count_reject BIGINT NOT NULL,
    count_compliant BIGINT NOT NULL,
    sum_quality_score NUMERIC NOT NULL,
    count_volume BIGINT NOT NULL,
    sum_volume_mm3 NUMERIC NOT NULL,
    count_freshness BIGINT NOT NULL,
    sum_freshness_index NUMERIC NOT NULL
);
CREATE UNIQUE INDEX sqal_stats_hours_key ON sqal_stats_hours (bucket, device_id, site_code, line) NULLS NOT DISTINCT;

CREATE FUNCTION sqal_add_to_stats() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sqal_stats_hours AS h
    SELECT date_trunc('hour', time, 'UTC'), device_id, site_code, line,
        COUNT(*),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'A+'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'A'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'B'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'C'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'REJECT'),
        COUNT(*) FILTER (WHERE fusion_is_compliant),
        SUM(fusion_final_score),
        COUNT(vl53l8ch_volume_mm3), COALESCE(SUM(vl53l8ch_volume_mm3), 0),
        COUNT(as7341_freshness_index), COALESCE(SUM(as7341_freshness_index), 0)
    FROM new_samples
    GROUP BY 1, 2, 3, 4
    ORDER BY 1, 2, 3, 4  -- two writers that take rows in one order cannot wait for each other
    ON CONFLICT (bucket, device_id, site_code, line) DO UPDATE SET
        sample_count = h.sample_count + EXCLUDED.sample_count,
        count_a_plus = h.count_a_plus + EXCLUDED.count_a_plus,
        count_a = h.count_a + EXCLUDED.count_a,
        count_b = h.count_b + EXCLUDED.count_b,
        count_c = h.count_c + EXCLUDED.count_c,
        count_reject = h.count_reject + EXCLUDED.count_reject,
        count_compliant = h.count_compliant + EXCLUDED.count_compliant,
        sum_quality_score = h.sum_quality_score + EXCLUDED.sum_quality_score,
        count_volume = h.count_volume + EXCLUDED.count_volume,
        sum_volume_mm3 = h.sum_volume_mm3 + EXCLUDED.sum_volume_mm3,
        count_freshness = h.count_freshness + EXCLUDED.count_freshness,
        sum_freshness_index = h.sum_freshness_index + EXCLUDED.sum_freshness_index;
    RETURN NULL;
END
$$;
CREATE TRIGGER sqal_add_to_stats AFTER INSERT ON sqal_sensor_samples
    REFERENCING NEW TABLE AS new_samples FOR EACH STATEMENT EXECUTE FUNCTION sqal_add_to_stats();

CREATE VIEW sqal_hourly_stats AS
SELECT bucket, device_id, sample_count,
    sum_quality_score / sample_count AS avg_quality_score,
    count_a_plus, count_a, count_b, count_c, count_reject,
    sum_volume_mm3 / NULLIF(count_volume, 0) AS avg_volume_mm3,
    sum_freshness_index / NULLIF(count_freshness, 0) AS avg_freshness_index,
    count_compliant::FLOAT / sample_count * 100 AS compliance_rate_pct,
    -- ours
    site_code, line, count_compliant, sum_quality_score, count_volume, sum_volume_mm3, count_freshness,
    sum_freshness_index
FROM sqal_stats_hours;

CREATE VIEW sqal_site_stats AS
SELECT date_trunc('day', bucket, 'UTC') AS bucket, site_code,
    SUM(sample_count)::BIGINT AS total_samples,
    SUM(sum_quality_score) / SUM(sample_count) AS avg_quality_score,
    SUM(count_compliant)::FLOAT / SUM(sample_count)::FLOAT * 100 AS compliance_rate_pct,
    SUM(count_a_plus)::BIGINT AS count_a_plus,
    SUM(count_a)::BIGINT AS count_a,
    SUM(count_b)::BIGINT AS count_b,
    SUM(count_c)::BIGINT AS count_c,
    SUM(count_reject)::BIGINT AS count_reject,
    -- ours
    SUM(count_compliant)::BIGINT AS count_compliant,
    SUM(sum_quality_score) AS sum_quality_score
FROM sqal_stats_hours
GROUP BY date_trunc('day', bucket, 'UTC'), site_code;
