-- Raw messages of devices that only measure.

-- name: select_raw_calibrations
-- The calibration in use of every device that has one.
SELECT DISTINCT ON (device_id) device_id, content::TEXT FROM sqal_raw_calibrations
ORDER BY device_id, calibration_number DESC;

-- name: insert_raw_calibration
-- Put a calibration into use.
INSERT INTO sqal_raw_calibrations (device_id, content, measured_at)
VALUES (%(device_id)s, %(content)s::JSONB, %(measured_at)s)
RETURNING calibration_number;

-- name: note_raw_boot
-- When a start of a device was: as noted before, else as it seems now.
WITH noted AS (
    INSERT INTO sqal_raw_boots (device_id, boot_id, zero_at) VALUES (%(device_id)s, %(boot_id)s, %(zero_at)s)
    ON CONFLICT (device_id, boot_id) DO NOTHING
    RETURNING zero_at
)
SELECT zero_at FROM noted
UNION ALL SELECT zero_at FROM sqal_raw_boots WHERE device_id = %(device_id)s AND boot_id = %(boot_id)s
LIMIT 1;

-- name: select_stored_numbers
-- Which of these numbers are stored already, as samples or as events.
SELECT asked.place FROM unnest(%(devices)s::TEXT[], %(boots)s::UUID[], %(seqs)s::BIGINT[])
    WITH ORDINALITY AS asked (device_id, boot_id, seq, place)
WHERE EXISTS (SELECT FROM sqal_sensor_samples AS s
        WHERE s.device_id = asked.device_id AND s.boot_id = asked.boot_id AND s.seq = asked.seq)
    OR EXISTS (SELECT FROM sqal_events AS e
        WHERE e.device_id = asked.device_id AND e.boot_id = asked.boot_id AND e.seq = asked.seq);
