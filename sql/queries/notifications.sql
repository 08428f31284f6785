-- Channels and what is sent to them.

-- name: put_notifications
-- One message to each channel that wants to hear of an alert; none to the channel whose death it tells.
INSERT INTO sqal_notifications (channel_id, alarm_id, site_code, payload)
SELECT channel_id, %(alarm_id)s::UUID, %(site_code)s::VARCHAR, %(payload)s::BYTEA
FROM sqal_channels
WHERE is_active AND name <> %(except)s::VARCHAR AND (sites IS NULL OR %(site_code)s::VARCHAR = ANY(sites))
    AND array_position(ARRAY['info', 'warning', 'critical'], min_severity::TEXT) - 1 <= %(severity)s::INTEGER;

-- name: put_test_notification
-- A message that says only that the channel works; its number, or nothing for a channel that does not exist.
INSERT INTO sqal_notifications (channel_id, site_code, payload)
SELECT channel_id, COALESCE(sites[1], %(site_code)s::VARCHAR), %(payload)s::BYTEA FROM sqal_channels WHERE name = %(name)s
RETURNING notification_id;

-- name: select_due_notifications
-- What has to be sent now, of the sites of a shard (none given: of all), oldest first; a test is anybody's.
SELECT n.notification_id, n.alarm_id, n.site_code, n.payload, n.attempts, c.name, c.kind, c.target
FROM sqal_notifications AS n JOIN sqal_channels AS c USING (channel_id)
WHERE n.state = 'waiting' AND n.next_at <= %(now)s
    AND (n.alarm_id IS NULL OR %(site_codes)s::TEXT[] IS NULL OR n.site_code = ANY(%(site_codes)s::TEXT[]))
ORDER BY n.next_at
LIMIT %(limit)s;

-- name: settle_notification
-- How an attempt ended.
UPDATE sqal_notifications SET state = %(state)s::VARCHAR, attempts = attempts + 1, next_at = %(next_at)s,
    last_error = %(error)s, settled_at = CASE WHEN %(state)s::VARCHAR <> 'waiting' THEN NOW() END
WHERE notification_id = %(notification_id)s;

-- name: notification
-- One message to a channel.
SELECT notification_id, state, attempts, last_error FROM sqal_notifications WHERE notification_id = %(notification_id)s;

-- name: count_notifications
-- How many wait, and how many were given up.
SELECT COUNT(*) FILTER (WHERE state = 'waiting'), COUNT(*) FILTER (WHERE state = 'dead') FROM sqal_notifications;

-- name: api_notifications
-- The log of messages to channels, newest first; a page begins before a number.
SELECT n.notification_id, c.name AS channel, c.kind, n.alarm_id, n.site_code, n.state, n.attempts, n.last_error,
    n.created_at, n.settled_at
FROM sqal_notifications AS n JOIN sqal_channels AS c USING (channel_id)
WHERE (%(before)s::BIGINT IS NULL OR n.notification_id < %(before)s)
    AND (%(sites)s::TEXT[] IS NULL OR n.site_code = ANY (%(sites)s::TEXT[]))
ORDER BY n.notification_id DESC
LIMIT %(limit)s;

-- name: channels
-- Every channel.
SELECT name, kind, target, min_severity, sites, is_active, created_at FROM sqal_channels ORDER BY name;

-- name: put_channel
-- A channel, new or changed.
INSERT INTO sqal_channels (name, kind, target, min_severity, sites, is_active)
VALUES (%(name)s, %(kind)s, %(target)s, %(min_severity)s, %(sites)s, %(is_active)s)
ON CONFLICT (name) DO UPDATE SET kind = EXCLUDED.kind, target = EXCLUDED.target,
    min_severity = EXCLUDED.min_severity, sites = EXCLUDED.sites, is_active = EXCLUDED.is_active
RETURNING name, kind, target, min_severity, sites, is_active, created_at;

-- name: delete_channel
-- Forget a channel and its log.
DELETE FROM sqal_channels WHERE name = %(name)s;

-- name: maintain_delete_notifications
-- Forget what was settled that long ago.
DELETE FROM sqal_notifications WHERE state <> 'waiting' AND created_at < %(before)s;
