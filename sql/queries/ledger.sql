-- The ledger: queueing (in other transactions), reading for proofs. Its one writer has its statements beside it.

-- name: ledger_enqueue_samples
-- Queue the digests of samples just inserted in this transaction; only those with a lot count.
SELECT sqal_ledger_enqueue(%(times)s::TIMESTAMPTZ[], %(sample_ids)s::TEXT[]);

-- name: ledger_enqueue_event
-- Queue an event and wake the writer.
WITH queued AS (INSERT INTO sqal_ledger_queue (entry) VALUES (%(entry)s) RETURNING queue_id)
SELECT queue_id, pg_notify('sqal_ledger', '') FROM queued;

-- name: ledger_keep_private
-- Keep the erasable part of an event.
INSERT INTO sqal_ledger_private (reference, salt, document) VALUES (%(reference)s, %(salt)s, %(document)s);

-- name: ledger_latest_checkpoint
-- The newest checkpoint.
SELECT size, root, time, note FROM sqal_ledger_checkpoints ORDER BY size DESC LIMIT 1;

-- name: ledger_checkpoint_covering
-- The oldest checkpoint that covers an entry.
SELECT size, root, time, note FROM sqal_ledger_checkpoints WHERE size > %(leaf_index)s ORDER BY size LIMIT 1;

-- name: ledger_leaves
-- Hashes of leaves, in order.
SELECT leaf_hash FROM sqal_ledger WHERE leaf_index >= %(start)s AND leaf_index < %(end)s ORDER BY leaf_index;

-- name: ledger_nodes
-- Roots of full subtrees of one height, in order.
SELECT hash FROM sqal_ledger_nodes
WHERE height = %(height)s AND node_index >= %(start)s AND node_index < %(end)s ORDER BY node_index;

-- name: ledger_entry
-- One entry.
SELECT leaf_index, entry, leaf_hash FROM sqal_ledger WHERE leaf_index = %(leaf_index)s;

-- name: ledger_entries_of_lot
-- Entries of a lot, the oldest first.
SELECT leaf_index, entry, leaf_hash FROM sqal_ledger WHERE lot_id = %(lot_id)s ORDER BY leaf_index LIMIT %(limit)s;

-- name: ledger_newest_samples_of_lot
-- The newest entries of a lot that are samples (kind 1), the newest first, and how many there are.
SELECT leaf_index, entry, leaf_hash FROM sqal_ledger
WHERE lot_id = %(lot_id)s AND get_byte(entry, 1) = 1 ORDER BY leaf_index DESC LIMIT %(limit)s;

-- name: ledger_entries_of_subject
-- Entries about a subject such as `canard:17`, the oldest first.
SELECT leaf_index, entry, leaf_hash FROM sqal_ledger WHERE subject = %(subject)s ORDER BY leaf_index LIMIT %(limit)s;

-- name: ledger_find_event
-- The entry with exactly these bytes.
SELECT leaf_index, entry, leaf_hash FROM sqal_ledger
WHERE subject = %(subject)s AND entry = %(entry)s ORDER BY leaf_index DESC LIMIT 1;

-- name: ledger_private
-- The erasable part of an event, if it is still there.
SELECT reference, salt, document FROM sqal_ledger_private WHERE reference = ANY(%(references)s);

-- name: ledger_wake
-- Ask the writer for a checkpoint now.
SELECT pg_notify('sqal_ledger', '');

-- name: ledger_waiting_of_lot
-- Whether samples of a lot, or any events, wait for the writer.
SELECT EXISTS (SELECT FROM sqal_ledger_queue WHERE lot_id = %(lot_id)s OR entry IS NOT NULL) AS is_waiting;

-- name: ledger_records
-- What was hashed of samples, by the version of the entry that holds the digest.
SELECT r.time, r.device_id, r.sample_id, CASE k.version WHEN 1 THEN r.record ELSE r.record_2 END AS record
FROM unnest(%(times)s::TIMESTAMPTZ[], %(sample_ids)s::TEXT[], %(versions)s::INTEGER[])
    AS k (time, sample_id, version)
JOIN sqal_ledger_records AS r ON r.time = k.time AND r.sample_id = k.sample_id;

-- name: ledger_statements
-- The newest entries of one type about a subject, the oldest of them first.
SELECT leaf_index, entry, leaf_hash FROM (
    SELECT leaf_index, entry, leaf_hash FROM sqal_ledger
    WHERE subject = %(subject)s
        AND substring(entry FROM 13 FOR octet_length(%(type)s::TEXT)) = convert_to(%(type)s::TEXT, 'UTF8')
    ORDER BY leaf_index DESC LIMIT %(limit)s
) AS newest ORDER BY leaf_index;

-- name: lot_ledger_total
-- How many samples of a lot the ledger holds; an entry of samples has their count in bytes 7 to 10.
SELECT COALESCE(SUM((get_byte(entry, 6)::BIGINT << 24) + (get_byte(entry, 7) << 16) + (get_byte(entry, 8) << 8)
    + get_byte(entry, 9)), 0)::BIGINT AS total
FROM sqal_ledger WHERE lot_id = %(lot_id)s AND get_byte(entry, 1) = 1;

-- name: ledger_history_samples
-- Score and grade of samples, for the history of a lot.
SELECT s.time, s.device_id, s.sample_id, s.fusion_final_score, s.fusion_final_grade, s.fusion_is_compliant
FROM unnest(%(times)s::TIMESTAMPTZ[], %(sample_ids)s::TEXT[]) AS k (time, sample_id)
JOIN sqal_sensor_samples AS s ON s.time = k.time AND s.sample_id = k.sample_id;

-- name: ledger_checkpoints
-- Checkpoints, the newest first.
SELECT size, encode(root, 'hex') AS root, time, note FROM sqal_ledger_checkpoints
WHERE %(before)s::BIGINT IS NULL OR size < %(before)s ORDER BY size DESC LIMIT %(limit)s;

-- name: ledger_sealing
-- The first checkpoint that covers each of some entries.
SELECT k.leaf_index, encode(c.root, 'hex') AS root
FROM unnest(%(leaf_indices)s::BIGINT[]) AS k (leaf_index)
CROSS JOIN LATERAL (
    SELECT root FROM sqal_ledger_checkpoints WHERE size > k.leaf_index ORDER BY size LIMIT 1
) AS c;
