-- What has to be published because of a commit.

-- name: put_outbox
-- One message for the broker.
INSERT INTO sqal_outbox (topic, payload, retain) VALUES (%(topic)s, %(payload)s, %(retain)s);

-- name: select_outbox
-- The oldest messages that wait.
SELECT outbox_id, topic, payload, retain FROM sqal_outbox ORDER BY outbox_id LIMIT %(limit)s;

-- name: delete_outbox
-- What the broker has.
DELETE FROM sqal_outbox WHERE outbox_id = ANY(%(outbox_ids)s);
