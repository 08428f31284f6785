-- What the REST API reads of statistics and lots. Longer periods add up sums and counts; averages are never averaged.

-- name: api_hourly_stats
-- Hours of a period, newest first; an hour that began before `start` is there.
SELECT * FROM sqal_hourly_stats
WHERE bucket >= date_trunc('hour', %(start)s::TIMESTAMPTZ, 'UTC') AND bucket < %(end)s
    AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY bucket DESC, device_id
LIMIT %(limit)s;

-- name: api_period_totals
-- Exact figures of a period, of one site or of all.
SELECT * FROM get_sqal_stats_period(%(start)s, %(end)s, %(site_code)s);

-- name: api_sites_totals
-- Exact figures of a period, of some sites together.
SELECT COALESCE(SUM(t.total_samples), 0)::BIGINT AS total_samples,
    SUM(t.avg_quality_score * t.total_samples) / NULLIF(SUM(t.total_samples), 0) AS avg_quality_score,
    SUM(t.compliance_rate_pct * t.total_samples) / NULLIF(SUM(t.total_samples), 0)::FLOAT AS compliance_rate_pct,
    COALESCE(SUM(t.count_a_plus), 0)::BIGINT AS count_a_plus, COALESCE(SUM(t.count_a), 0)::BIGINT AS count_a,
    COALESCE(SUM(t.count_b), 0)::BIGINT AS count_b, COALESCE(SUM(t.count_c), 0)::BIGINT AS count_c,
    COALESCE(SUM(t.count_reject), 0)::BIGINT AS count_reject
FROM unnest(%(sites)s::TEXT[]) AS site, LATERAL get_sqal_stats_period(%(start)s, %(end)s, site::VARCHAR) AS t;

-- name: api_site_days
-- Site and day, newest first; days are UTC, one that began before `start` is there.
SELECT * FROM sqal_site_stats
WHERE bucket >= date_trunc('day', %(start)s::TIMESTAMPTZ, 'UTC') AND bucket < %(end)s
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY bucket DESC, site_code;

-- name: api_top_devices
-- The ten devices with the best scores in the hours of a period.
SELECT device_id, SUM(sample_count)::BIGINT AS total_samples,
    SUM(sum_quality_score) / SUM(sample_count) AS avg_quality_score,
    SUM(count_compliant)::FLOAT / SUM(sample_count)::FLOAT * 100 AS compliance_rate_pct
FROM sqal_hourly_stats
WHERE bucket >= date_trunc('hour', %(start)s::TIMESTAMPTZ, 'UTC') AND bucket < %(end)s
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
GROUP BY device_id
ORDER BY avg_quality_score DESC, device_id
LIMIT 10;

-- name: api_overview_counts
-- Alerts that wait for a person (one per device, rule and lot, however often it occurred), those of them that are
-- critical, devices, and devices heard of in the last five minutes.
SELECT
    (SELECT COUNT(*) FROM sqal_alert_state WHERE state IN ('unacknowledged', 'returned_unacknowledged')
        AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[])))
        AS active_alerts,
    (SELECT COUNT(*) FROM sqal_alert_state WHERE state IN ('unacknowledged', 'returned_unacknowledged')
        AND severity = 'critical'
        AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))) AS critical_alerts,
    (SELECT COUNT(*) FROM sqal_devices WHERE (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))) AS total_devices,
    (SELECT COUNT(*) FROM sqal_devices WHERE status = 'active' AND last_seen > NOW() - INTERVAL '5 minutes'
        AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))) AS active_devices;

-- name: api_lot
-- A lot of the customer's table with whatever columns it has.
SELECT to_jsonb(l) AS lot FROM lots_gavage l WHERE id = %(lot_id)s;

-- name: api_lot_totals
-- Figures of all samples of a lot.
SELECT COUNT(*) AS total_samples, AVG(fusion_final_score) AS avg_quality_score,
    COUNT(*) FILTER (WHERE fusion_is_compliant)::FLOAT / NULLIF(COUNT(*), 0) * 100 AS compliance_rate_pct,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'A+') AS count_a_plus,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'A') AS count_a,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'B') AS count_b,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'C') AS count_c,
    COUNT(*) FILTER (WHERE fusion_final_grade = 'REJECT') AS count_reject
FROM sqal_sensor_samples WHERE lot_id = %(lot_id)s;

-- name: api_lot_samples
-- The newest samples of a lot.
SELECT * FROM sqal_sensor_samples_json WHERE lot_id = %(lot_id)s ORDER BY time DESC LIMIT %(limit)s;

-- name: api_lots_aggregated
-- Lots with samples in a period, the latest first, under the names that the customer's other system uses.
WITH per_lot AS (
    SELECT lot_id, CASE WHEN MIN(site_code) = MAX(site_code) THEN MIN(site_code) END AS measured_at,
        COUNT(*) AS nb_echantillons, AVG(fusion_final_score) AS score_qualite_moyen,
        MODE() WITHIN GROUP (ORDER BY fusion_final_grade) AS grade_majoritaire,
        COUNT(*) FILTER (WHERE fusion_is_compliant)::FLOAT / COUNT(*) * 100 AS taux_conformite_pct,
        MIN(time) AS premier_echantillon, MAX(time) AS dernier_echantillon,
        COUNT(*) FILTER (WHERE fusion_final_grade = 'A+') AS count_a_plus,
        COUNT(*) FILTER (WHERE fusion_final_grade = 'A') AS count_a,
        COUNT(*) FILTER (WHERE fusion_final_grade = 'B') AS count_b,
        COUNT(*) FILTER (WHERE fusion_final_grade = 'C') AS count_c,
        COUNT(*) FILTER (WHERE fusion_final_grade = 'REJECT') AS count_reject
    FROM sqal_sensor_samples
    WHERE lot_id IS NOT NULL AND time >= %(start)s AND time < %(end)s
    GROUP BY lot_id
)
SELECT p.*, to_jsonb(l) AS lot
FROM per_lot p LEFT JOIN lots_gavage l ON l.id = p.lot_id
WHERE %(sites)s::TEXT[] IS NULL OR COALESCE(l.site_code, p.measured_at) = ANY (%(sites)s::TEXT[])
ORDER BY p.dernier_echantillon DESC
LIMIT %(limit)s;
