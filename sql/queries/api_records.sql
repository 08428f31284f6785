-- What the REST API reads of dead letters, gaps and events: keyset pages, newest first.

-- name: api_dead_letters
-- A page of dead letters; of each payload the first bytes.
SELECT dead_letter_id, reason, path, detail, topic, device_id, site_code, boot_id, seq, is_held,
    substring(payload FROM 1 FOR %(preview_bytes)s) AS payload, payload_bytes, occurrences, first_at, last_at, replayed_at
FROM sqal_dead_letters
WHERE (%(before)s::BIGINT IS NULL OR dead_letter_id < %(before)s)
    AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(reason)s::TEXT IS NULL OR reason = %(reason)s)
ORDER BY dead_letter_id DESC
LIMIT %(limit)s;

-- name: api_dead_letter
-- One dead letter, whole.
SELECT dead_letter_id, reason, path, detail, topic, device_id, site_code, boot_id, seq, is_held, payload, payload_bytes,
    occurrences, first_at, last_at, replayed_at
FROM sqal_dead_letters WHERE dead_letter_id = %(dead_letter_id)s;

-- name: api_dead_letter_counts
-- How many there are of each reason.
SELECT reason, COUNT(*) AS letters, SUM(occurrences)::BIGINT AS occurrences FROM sqal_dead_letters GROUP BY reason;

-- name: api_gaps
-- A page of gaps: numbers that will never arrive.
SELECT *, last_seq - first_seq + 1 AS missing FROM sqal_gaps
WHERE (%(time)s::TIMESTAMPTZ IS NULL OR (time, device_id, boot_id, first_seq, last_seq)
        < (%(time)s, %(cursor_device_id)s, %(boot_id)s::UUID, %(first_seq)s, %(last_seq)s))
    AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY time DESC, device_id DESC, boot_id DESC, first_seq DESC, last_seq DESC
LIMIT %(limit)s;

-- name: api_events
-- A page of what happened at devices.
SELECT * FROM sqal_events
WHERE (%(time)s::TIMESTAMPTZ IS NULL OR (time, device_id, boot_id, seq)
        < (%(time)s, %(cursor_device_id)s, %(boot_id)s::UUID, %(seq)s))
    AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
    AND (%(kind)s::TEXT IS NULL OR kind = %(kind)s)
ORDER BY time DESC, device_id DESC, boot_id DESC, seq DESC
LIMIT %(limit)s;
