-- The ingester's session.

-- name: take_shard
-- Become the one active ingester of a shard; false while another is. The lock ends with the session.
SELECT pg_try_advisory_lock(hashtextextended('sqal-ingest-' || %(shard)s, 0));
