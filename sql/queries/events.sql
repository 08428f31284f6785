-- Events, gaps and boots.

-- name: insert_events
-- Events of a batch, given as one JSON list; says which numbers are new.
INSERT INTO sqal_events (time, device_id, boot_id, seq, kind, severity, site_code, line, piece_id, lot_id, reason, data,
    hist, clock_state, clock_error_ms)
SELECT time, device_id, boot_id, seq, kind, severity, site_code, line, piece_id, lot_id, reason, data, hist,
    clock_state, clock_error_ms
FROM jsonb_to_recordset(%(events)s) AS e (n INTEGER, time TIMESTAMPTZ, device_id TEXT, boot_id UUID, seq BIGINT,
    kind TEXT, severity TEXT, site_code TEXT, line TEXT, piece_id TEXT, lot_id INTEGER, reason JSONB, data JSONB,
    hist BOOLEAN, clock_state TEXT, clock_error_ms DOUBLE PRECISION)
ORDER BY n
ON CONFLICT DO NOTHING
RETURNING device_id, boot_id, seq;

-- name: compare_events
-- For events that were not new: does the stored one say the same?
SELECT e.n, (s.time, s.kind, s.severity, s.piece_id, s.reason, s.data) IS NOT DISTINCT FROM
    (e.time, e.kind::VARCHAR, e.severity::VARCHAR, e.piece_id::VARCHAR, e.reason, e.data) AS is_same
FROM jsonb_to_recordset(%(events)s) AS e (n INTEGER, time TIMESTAMPTZ, device_id TEXT, boot_id UUID, seq BIGINT,
    kind TEXT, severity TEXT, piece_id TEXT, reason JSONB, data JSONB)
JOIN sqal_events AS s USING (device_id, boot_id, seq);

-- name: insert_gap
-- Numbers that will never arrive, as their device said.
INSERT INTO sqal_gaps (device_id, boot_id, first_seq, last_seq, reason, time, site_code, line)
VALUES (%(device_id)s, %(boot_id)s, %(first_seq)s, %(last_seq)s, %(reason)s, %(time)s, %(site_code)s, %(line)s)
ON CONFLICT DO NOTHING;

-- name: touch_boots
-- The boots that a batch comes from, and the highest number of each.
INSERT INTO sqal_device_boots AS b (device_id, boot_id, highest_seq)
SELECT * FROM unnest(%(device_ids)s::TEXT[], %(boot_ids)s::UUID[], %(seqs)s::BIGINT[])
ORDER BY 1, 2
ON CONFLICT (device_id, boot_id) DO UPDATE
SET last_seen = NOW(), highest_seq = GREATEST(b.highest_seq, EXCLUDED.highest_seq);

-- name: select_highest
-- The highest number stored of each of some boots.
SELECT device_id, boot_id, highest_seq FROM sqal_device_boots WHERE boot_id = ANY(%(boot_ids)s);
