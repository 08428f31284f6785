-- non-transactional
-- Statistics and life cycle of data where TimescaleDB is there: the customer's hypertables, policies and continuous
-- aggregates. The aggregates are real-time (the newest hour is computed on reading) and made without data; beside the
-- customer's averages they keep sums and counts, so that longer periods never average averages.

SELECT create_hypertable('sqal_sensor_samples', 'time', if_not_exists => TRUE, migrate_data => TRUE);

ALTER TABLE sqal_sensor_samples SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'device_id',
    timescaledb.compress_orderby = 'time DESC'
);

SELECT add_compression_policy('sqal_sensor_samples', INTERVAL '7 days', if_not_exists => TRUE);

SELECT add_retention_policy('sqal_sensor_samples', INTERVAL '90 days', if_not_exists => TRUE);

SELECT create_hypertable('sqal_alerts', 'time', if_not_exists => TRUE, migrate_data => TRUE);

ALTER TABLE sqal_alerts SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'device_id,severity',
    timescaledb.compress_orderby = 'time DESC'
);

SELECT add_compression_policy('sqal_alerts', INTERVAL '30 days', if_not_exists => TRUE);

SELECT add_retention_policy('sqal_alerts', INTERVAL '180 days', if_not_exists => TRUE);

CREATE MATERIALIZED VIEW IF NOT EXISTS sqal_hourly_stats
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT
    time_bucket('1 hour', time) AS bucket,
    device_id,
    COUNT(*) AS sample_count,
    AVG(fusion_final_score) AS avg_quality_score,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'A+') AS count_a_plus,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'A') AS count_a,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'B') AS count_b,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'C') AS count_c,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'REJECT') AS count_reject,
    AVG(vl53l8ch_volume_mm3) AS avg_volume_mm3,
    AVG(as7341_freshness_index) AS avg_freshness_index,
    (COUNT(*) FILTER (WHERE fusion_is_compliant = TRUE)::FLOAT / COUNT(*) * 100) AS compliance_rate_pct,
    site_code,
    line,
    COUNT(*) FILTER (WHERE fusion_is_compliant) AS count_compliant,
    SUM(fusion_final_score) AS sum_quality_score,
    COUNT(vl53l8ch_volume_mm3) AS count_volume,
    COALESCE(SUM(vl53l8ch_volume_mm3), 0) AS sum_volume_mm3,
    COUNT(as7341_freshness_index) AS count_freshness,
    COALESCE(SUM(as7341_freshness_index), 0) AS sum_freshness_index
FROM sqal_sensor_samples
GROUP BY time_bucket('1 hour', time), device_id, site_code, line
WITH NO DATA;

SELECT add_continuous_aggregate_policy('sqal_hourly_stats',
    start_offset => INTERVAL '3 hours', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '1 hour',
    if_not_exists => TRUE);

CREATE MATERIALIZED VIEW IF NOT EXISTS sqal_site_stats
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT
    time_bucket('1 day', time) AS bucket,
    site_code,
    COUNT(*) AS total_samples,
    AVG(fusion_final_score) AS avg_quality_score,
    (COUNT(*) FILTER (WHERE fusion_is_compliant = TRUE)::FLOAT / COUNT(*) * 100) AS compliance_rate_pct,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'A+') AS count_a_plus,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'A') AS count_a,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'B') AS count_b,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'C') AS count_c,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'REJECT') AS count_reject,
    COUNT(*) FILTER (WHERE fusion_is_compliant) AS count_compliant,
    SUM(fusion_final_score) AS sum_quality_score
FROM sqal_sensor_samples
GROUP BY time_bucket('1 day', time), site_code
WITH NO DATA;

SELECT add_continuous_aggregate_policy('sqal_site_stats',
    start_offset => INTERVAL '3 days', end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 day',
    if_not_exists => TRUE);
