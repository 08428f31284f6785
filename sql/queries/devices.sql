-- The device registry.

-- name: select_registry
-- Who may send, and where each stands.
SELECT device_id, site_code, line FROM sqal_devices;

-- name: touch_devices
-- When each device of a batch was last heard; never back in time.
UPDATE sqal_devices AS d SET last_seen = NOW()
WHERE d.device_id = ANY(%(device_ids)s) AND (d.last_seen IS NULL OR d.last_seen < NOW() - INTERVAL '1 second');
