-- What has to be done now and then; `sqal db maintain`.

-- name: maintain_has_timescale
-- Whether this database keeps its samples in a hypertable: then its own jobs compress and retain.
SELECT EXISTS (SELECT FROM sqal_migrations WHERE variant = 'timescale');

-- name: maintain_oldest_sample
-- When the oldest sample was taken that retention has outlived; none when there is none.
SELECT MIN(time) FROM sqal_sensor_samples WHERE time < %(before)s;

-- name: maintain_delete_samples
-- Forget the samples of a range; the figures of their hours stay.
DELETE FROM sqal_sensor_samples WHERE time >= %(since)s AND time < %(before)s;

-- name: maintain_delete_alerts
-- Forget old occurrences, except the last one of an alert that is not cleared.
DELETE FROM sqal_alerts AS a
WHERE a.time < %(before)s
    AND NOT EXISTS (SELECT FROM sqal_alert_state AS s WHERE s.alert_id = a.alert_id AND s.state <> 'cleared');

-- name: maintain_delete_cleared
-- Forget life cycles that ended that long ago.
DELETE FROM sqal_alert_state WHERE state = 'cleared' AND updated_at < %(before)s;

-- name: maintain_refresh
-- Enter what arrived late into an aggregate: only hours that changed since are computed again.
CALL refresh_continuous_aggregate(%(name)s, %(since)s, %(before)s);

-- name: maintain_invalid_indexes
-- Indexes that a failed CREATE INDEX CONCURRENTLY left behind.
SELECT indexrelid::REGCLASS::TEXT FROM pg_index WHERE NOT indisvalid ORDER BY 1;

-- name: maintain_hours_that_differ
-- Hours of the last days whose figures do not say what their samples say; checked where all their samples are kept.
WITH counted AS (
    SELECT date_trunc('hour', time, 'UTC') AS bucket, device_id, COUNT(*) AS n, SUM(fusion_final_score) AS score
    FROM sqal_sensor_samples WHERE time >= %(since)s AND time < %(before)s GROUP BY 1, 2
), kept AS (
    SELECT bucket, device_id, SUM(sample_count) AS n, SUM(sum_quality_score) AS score
    FROM sqal_hourly_stats WHERE bucket >= %(since)s AND bucket < %(before)s GROUP BY 1, 2
)
SELECT bucket, device_id FROM counted FULL JOIN kept USING (bucket, device_id)
WHERE (counted.n, counted.score) IS DISTINCT FROM (kept.n::BIGINT, kept.score)
ORDER BY 1, 2;
