-- Messages that were not accepted.

-- name: put_dead_letter
-- Keep one; the same again only counts. Says its number.
INSERT INTO sqal_dead_letters AS d (digest, reason, path, detail, topic, device_id, site_code, boot_id, seq, is_held,
    payload, payload_bytes)
VALUES (%(digest)s, %(reason)s, %(path)s, %(detail)s, %(topic)s, %(device_id)s, %(site_code)s, %(boot_id)s, %(seq)s,
    %(is_held)s, %(payload)s, %(payload_bytes)s)
ON CONFLICT (digest) DO UPDATE SET occurrences = d.occurrences + 1, last_at = NOW()
RETURNING dead_letter_id;

-- name: trim_dead_letters
-- Keep them within their bounds; says how many went.
SELECT sqal_trim_dead_letters(make_interval(secs => %(age_s)s), %(bytes_max)s);
