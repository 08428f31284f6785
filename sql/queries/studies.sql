-- Calibrations, reference pieces, challenge tests: written by ingest and the API, and what of them is due.

-- name: calibration_add
-- A calibration as its device reported it; an id is used once, what is there stays.
INSERT INTO sqal_calibrations (device_id, calibration_id, sensor, procedure, measured_at, valid_until,
    calibration_values, based_on, drift, conditions, made_by, site_code, line, boot_id, seq)
VALUES (%(device_id)s, %(calibration_id)s, %(sensor)s, %(procedure)s, %(measured_at)s, %(valid_until)s, %(values)s,
    %(based_on)s, %(drift)s, %(conditions)s, %(made_by)s, %(site_code)s, %(line)s, %(boot_id)s, %(seq)s)
ON CONFLICT DO NOTHING;

-- name: challenge_add
-- A challenge test as its device reported it.
INSERT INTO sqal_challenges (device_id, boot_id, seq, reference_id, taken_at, passed, readings, lines, refused, made_by,
    request, calibration_tof, calibration_spectral, site_code, line)
VALUES (%(device_id)s, %(boot_id)s, %(seq)s, %(reference_id)s, %(taken_at)s, %(passed)s, %(readings)s, %(lines)s,
    %(refused)s, %(made_by)s, %(request)s, %(calibration_tof)s, %(calibration_spectral)s, %(site_code)s, %(line)s)
ON CONFLICT DO NOTHING;

-- name: studies_due
-- Conditions that time alone brings about or ends, and whose alert does not say so yet: the newest calibration of a
-- sensor has run out; a reference piece was not passed in its time (never passed: late from its first day on). One row
-- for each device and alert, the longest overdue subject of it.
WITH newest AS (
    SELECT DISTINCT ON (device_id, sensor) device_id, sensor, valid_until
    FROM sqal_calibrations ORDER BY device_id, sensor, measured_at DESC
), passed AS (
    SELECT device_id, reference_id, MAX(taken_at) AS passed_at FROM sqal_challenges
    WHERE passed AND taken_at <= %(now)s::TIMESTAMPTZ GROUP BY device_id, reference_id
), conditions AS (
    SELECT n.device_id, 'calibration_expired' AS alert_type, n.sensor AS subject, n.valid_until AS since
    FROM newest AS n WHERE n.valid_until <= %(now)s::TIMESTAMPTZ
    UNION ALL
    SELECT d.device_id, 'challenge_overdue', r.reference_id,
        COALESCE(p.passed_at + make_interval(secs => r.every_s), r.created_at)
    FROM sqal_references AS r
    JOIN sqal_devices AS d ON d.status = 'active' AND (r.site_code IS NULL OR d.site_code = r.site_code)
    LEFT JOIN passed AS p ON p.device_id = d.device_id AND p.reference_id = r.reference_id
    WHERE r.retired_at IS NULL
        AND COALESCE(p.passed_at + make_interval(secs => r.every_s), r.created_at) <= %(now)s::TIMESTAMPTZ
), longest AS (
    SELECT DISTINCT ON (device_id, alert_type) device_id, alert_type, subject, since
    FROM conditions ORDER BY device_id, alert_type, since, subject
), told AS (
    SELECT device_id, alert_type FROM sqal_alert_state
    WHERE alert_type IN ('calibration_expired', 'challenge_overdue')
        AND state IN ('unacknowledged', 'acknowledged', 'shelved') AND lot_id IS NULL
)
SELECT d.device_id, d.site_code, d.line, COALESCE(l.alert_type, t.alert_type) AS alert_type, l.subject, l.since,
    l.device_id IS NOT NULL AS is_due
FROM longest AS l
FULL JOIN told AS t USING (device_id, alert_type)
JOIN sqal_devices AS d ON d.device_id = COALESCE(l.device_id, t.device_id) AND d.site_code IS NOT NULL
WHERE l.device_id IS NULL OR t.device_id IS NULL
ORDER BY d.device_id, alert_type;

-- name: api_calibrations
-- Calibrations, the newest first, without their values; `is_newest`: of its device and sensor.
SELECT c.device_id, c.calibration_id, c.sensor, c.procedure, c.measured_at, c.valid_until, c.based_on, c.drift,
    c.conditions, c.made_by, c.site_code, c.line, c.ingested_at,
    NOT EXISTS (SELECT FROM sqal_calibrations AS n WHERE n.device_id = c.device_id AND n.sensor = c.sensor
        AND n.measured_at > c.measured_at) AS is_newest
FROM sqal_calibrations AS c
WHERE (%(device_id)s::TEXT IS NULL OR c.device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR c.site_code = ANY (%(sites)s::TEXT[]))
    AND (%(sensor)s::TEXT IS NULL OR c.sensor = %(sensor)s)
    AND (%(time)s::TIMESTAMPTZ IS NULL
        OR (c.measured_at, c.device_id, c.calibration_id) < (%(time)s, %(cursor_device_id)s, %(calibration_id)s))
ORDER BY c.measured_at DESC, c.device_id DESC, c.calibration_id DESC LIMIT %(limit)s;

-- name: calibration
-- One calibration, whole.
SELECT c.*, NOT EXISTS (SELECT FROM sqal_calibrations AS n WHERE n.device_id = c.device_id AND n.sensor = c.sensor
    AND n.measured_at > c.measured_at) AS is_newest
FROM sqal_calibrations AS c WHERE c.device_id = %(device_id)s AND c.calibration_id = %(calibration_id)s;

-- name: reference_add
-- A reference piece; an id that was ever used is taken.
INSERT INTO sqal_references (reference_id, site_code, description, figures, every_s, valid_until, created_by, created_at)
VALUES (%(reference_id)s, %(site_code)s, %(description)s, %(figures)s, %(every_s)s, %(valid_until)s, %(by)s, %(now)s)
ON CONFLICT (reference_id) DO NOTHING RETURNING *;

-- name: reference_retire
-- A reference piece that is not used any more.
UPDATE sqal_references SET retired_by = COALESCE(retired_by, %(by)s), retired_at = COALESCE(retired_at, %(now)s)
WHERE reference_id = %(reference_id)s RETURNING *;

-- name: reference_one
-- One reference piece.
SELECT * FROM sqal_references WHERE reference_id = %(reference_id)s;

-- name: references_all
-- Reference pieces in reach of some sites.
SELECT * FROM sqal_references
WHERE %(sites)s::TEXT[] IS NULL OR site_code IS NULL OR site_code = ANY (%(sites)s::TEXT[])
ORDER BY retired_at IS NOT NULL, reference_id LIMIT 1000;

-- name: challenges
-- Challenge tests of a period, the newest first.
SELECT * FROM sqal_challenges
WHERE taken_at >= %(start)s AND taken_at < %(end)s
    AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
    AND (%(passed)s::BOOLEAN IS NULL OR passed = %(passed)s)
    AND (%(before)s::BIGINT IS NULL OR challenge_id < %(before)s)
ORDER BY challenge_id DESC LIMIT %(limit)s;

-- name: challenges_due
-- For each device and each reference piece in its reach: when it was last passed, and until when it must be again.
SELECT d.device_id, d.site_code, r.reference_id, r.every_s, r.valid_until, p.passed_at,
    COALESCE(p.passed_at + make_interval(secs => r.every_s), r.created_at) AS due_at,
    COALESCE(p.passed_at + make_interval(secs => r.every_s), r.created_at) <= %(now)s AS is_overdue,
    l.taken_at AS last_at, l.passed AS last_passed
FROM sqal_references AS r
JOIN sqal_devices AS d ON d.status = 'active' AND (r.site_code IS NULL OR d.site_code = r.site_code)
LEFT JOIN LATERAL (
    SELECT MAX(taken_at) AS passed_at FROM sqal_challenges AS c
    WHERE c.device_id = d.device_id AND c.reference_id = r.reference_id AND c.passed
) AS p ON TRUE
LEFT JOIN LATERAL (
    SELECT taken_at, passed FROM sqal_challenges AS c
    WHERE c.device_id = d.device_id AND c.reference_id = r.reference_id ORDER BY taken_at DESC LIMIT 1
) AS l ON TRUE
WHERE r.retired_at IS NULL AND (%(sites)s::TEXT[] IS NULL OR d.site_code = ANY (%(sites)s::TEXT[]))
    AND (%(device_id)s::TEXT IS NULL OR d.device_id = %(device_id)s)
ORDER BY d.device_id, r.reference_id LIMIT 5000;
