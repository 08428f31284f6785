-- What the REST API reads of devices and samples. Rows of samples come from the view with JSON types.

-- name: api_health
-- Age in seconds of the newest sample (none: null), and devices heard of in the last five minutes.
SELECT
    (SELECT CASE WHEN MAX(time) > NOW() THEN 0 ELSE EXTRACT(EPOCH FROM NOW() - MAX(time)) END::FLOAT
        FROM sqal_sensor_samples) AS last_sample_age_seconds,
    (SELECT COUNT(*) FROM sqal_devices WHERE status = 'active' AND last_seen > NOW() - INTERVAL '5 minutes')
        AS active_devices;

-- name: api_devices
-- Devices, by site and status where asked.
SELECT * FROM sqal_devices
WHERE (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
    AND (%(status)s::TEXT IS NULL OR status = %(status)s)
ORDER BY device_id;

-- name: api_device
-- One device.
SELECT * FROM sqal_devices WHERE device_id = %(device_id)s;

-- name: api_registry
-- Where every device belongs: what a message of it must agree with.
SELECT device_id, site_code, line FROM sqal_devices WHERE site_code IS NOT NULL;

-- name: api_touch_device
-- A device was heard of.
UPDATE sqal_devices SET last_seen = GREATEST(last_seen, %(now)s) WHERE device_id = %(device_id)s;

-- name: api_device_hours
-- The hours of one device since `start`, newest first.
SELECT * FROM sqal_hourly_stats
WHERE device_id = %(device_id)s AND bucket >= date_trunc('hour', %(start)s::TIMESTAMPTZ, 'UTC')
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY bucket DESC;

-- name: api_device_totals
-- Exact figures of one device since `start`: whole hours from the statistics, the piece before them from the samples.
WITH first_hour AS (
    SELECT date_trunc('hour', %(start)s::TIMESTAMPTZ + INTERVAL '1 hour - 1 microsecond', 'UTC') AS whole
), parts AS (
    SELECT h.sample_count AS n, h.sum_quality_score AS score, h.count_compliant AS compliant, h.count_a_plus AS ap,
        h.count_a AS a, h.count_b AS b, h.count_c AS c, h.count_reject AS r
    FROM sqal_hourly_stats h, first_hour
    WHERE h.device_id = %(device_id)s AND h.bucket >= first_hour.whole
        AND (%(sites)s::TEXT[] IS NULL OR h.site_code = ANY (%(sites)s::TEXT[]))
    UNION ALL
    SELECT 1, s.fusion_final_score, (s.fusion_is_compliant)::INTEGER, (s.fusion_final_grade = 'A+')::INTEGER,
        (s.fusion_final_grade = 'A')::INTEGER, (s.fusion_final_grade = 'B')::INTEGER,
        (s.fusion_final_grade = 'C')::INTEGER, (s.fusion_final_grade = 'REJECT')::INTEGER
    FROM sqal_sensor_samples s, first_hour
    WHERE s.device_id = %(device_id)s AND s.time >= %(start)s AND s.time < first_hour.whole
        AND (%(sites)s::TEXT[] IS NULL OR s.site_code = ANY (%(sites)s::TEXT[]))
)
SELECT COALESCE(SUM(n), 0)::BIGINT AS total_samples, SUM(score) / NULLIF(SUM(n), 0) AS avg_quality_score,
    SUM(compliant)::FLOAT / NULLIF(SUM(n), 0)::FLOAT * 100 AS compliance_rate_pct,
    COALESCE(SUM(ap), 0)::BIGINT AS count_a_plus, COALESCE(SUM(a), 0)::BIGINT AS count_a,
    COALESCE(SUM(b), 0)::BIGINT AS count_b, COALESCE(SUM(c), 0)::BIGINT AS count_c,
    COALESCE(SUM(r), 0)::BIGINT AS count_reject
FROM parts;

-- name: api_latest_sample
-- The newest sample, of one device or of all.
SELECT * FROM get_latest_sqal_sample(%(device_id)s);

-- name: api_latest_sample_like
-- The newest sample of a device, of a site, with one of some grades; each filter only where given.
SELECT * FROM sqal_sensor_samples_json
WHERE (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
    AND (%(grades)s::TEXT[] IS NULL OR fusion_final_grade = ANY (%(grades)s::TEXT[]))
ORDER BY time DESC
LIMIT 1;

-- name: api_samples
-- Samples of a period, newest first.
SELECT * FROM sqal_sensor_samples_json
WHERE time >= %(start)s AND time < %(end)s AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY time DESC
LIMIT %(limit)s;

-- name: api_sample
-- The newest sample with an id.
SELECT * FROM sqal_sensor_samples_json 
WHERE sample_id = %(sample_id)s AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY time DESC LIMIT 1;

-- name: api_sample_namesakes
-- Every sample with an id, newest first: senders' own ids are unique only together with time and device.
SELECT time, device_id FROM sqal_sensor_samples
WHERE sample_id = %(sample_id)s AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY time DESC LIMIT 100;

-- name: api_replay
-- What was stored since a cursor, oldest first: what a viewer missed that was away.
SELECT * FROM sqal_sensor_samples_json
WHERE ingested_at >= %(start)s AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY ingested_at, time LIMIT %(limit)s;
