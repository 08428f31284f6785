-- Days as people at a site count them: its time zone, its shifts, and figures by day that add up what hours hold.

CREATE TABLE sqal_sites (
    site_code VARCHAR(2) PRIMARY KEY,
    time_zone TEXT NOT NULL DEFAULT 'Europe/Paris'
        CONSTRAINT sqal_sites_zone_is_known CHECK (NOW() AT TIME ZONE time_zone IS NOT NULL)
);
INSERT INTO sqal_sites (site_code) SELECT code FROM sites_euralis ON CONFLICT DO NOTHING;

-- Shifts of a site in its local time; one that ends before it starts runs through midnight.
CREATE TABLE sqal_shifts (
    site_code VARCHAR(2) NOT NULL REFERENCES sqal_sites (site_code),
    name VARCHAR(50) NOT NULL,
    starts TIME NOT NULL,
    ends TIME NOT NULL,
    PRIMARY KEY (site_code, name),
    CHECK (starts <> ends)
);
INSERT INTO sqal_shifts (site_code, name, starts, ends)
SELECT site_code, name, starts, ends
FROM sqal_sites, (VALUES ('matin', TIME '05:00', TIME '13:00'), ('après-midi', TIME '13:00', TIME '21:00'),
    ('nuit', TIME '21:00', TIME '05:00')) AS usual (name, starts, ends);

-- Hours added up to days of UTC, by device.
CREATE VIEW sqal_daily_stats AS
SELECT date_trunc('day', bucket, 'UTC') AS bucket, device_id, site_code, line,
    SUM(sample_count)::BIGINT AS sample_count,
    SUM(sum_quality_score) / SUM(sample_count) AS avg_quality_score,
    SUM(count_a_plus)::BIGINT AS count_a_plus,
    SUM(count_a)::BIGINT AS count_a,
    SUM(count_b)::BIGINT AS count_b,
    SUM(count_c)::BIGINT AS count_c,
    SUM(count_reject)::BIGINT AS count_reject,
    SUM(count_compliant)::BIGINT AS count_compliant,
    SUM(count_compliant)::FLOAT / SUM(sample_count)::FLOAT * 100 AS compliance_rate_pct,
    SUM(sum_quality_score) AS sum_quality_score
FROM sqal_hourly_stats
GROUP BY 1, 2, 3, 4;

-- Hours added up to days as the site's clock counts them; exact in zones that are whole hours from UTC.
CREATE VIEW sqal_site_days AS
SELECT (h.bucket AT TIME ZONE COALESCE(z.time_zone, 'UTC'))::DATE AS day, h.site_code,
    SUM(h.sample_count)::BIGINT AS total_samples,
    SUM(h.sum_quality_score) / SUM(h.sample_count) AS avg_quality_score,
    SUM(h.count_compliant)::FLOAT / SUM(h.sample_count)::FLOAT * 100 AS compliance_rate_pct,
    SUM(h.count_reject)::BIGINT AS count_reject
FROM sqal_hourly_stats AS h LEFT JOIN sqal_sites AS z USING (site_code)
GROUP BY 1, 2;
