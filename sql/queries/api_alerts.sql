-- What the REST API reads and writes of alerts. An acknowledgement moves the life cycle and is announced by the outbox,
-- all in one transaction.

-- name: api_alerts
-- Alerts of a period, newest first; each filter only where given.
SELECT * FROM sqal_alerts
WHERE time >= %(start)s AND time < %(end)s
    AND (%(severity)s::TEXT IS NULL OR severity = %(severity)s)
    AND (%(is_acknowledged)s::BOOLEAN IS NULL OR is_acknowledged = %(is_acknowledged)s)
    AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(site_code)s::TEXT IS NULL OR site_code = %(site_code)s)
ORDER BY time DESC, alert_id DESC
LIMIT %(limit)s;

-- name: api_alert_for_update
-- One alert, locked until the transaction ends.
SELECT * FROM sqal_alerts WHERE alert_id = %(alert_id)s FOR UPDATE;

-- name: api_acknowledge_alert
-- Acknowledge an alert together with all other occurrences of its life cycle.
UPDATE sqal_alerts SET is_acknowledged = TRUE, acknowledged_at = %(now)s, acknowledged_by = %(acknowledged_by)s
WHERE NOT is_acknowledged AND (alert_id = %(alert_id)s OR alarm_id = %(alarm_id)s::UUID);

-- name: api_acknowledge_alarm
-- Move a life cycle on: what has returned already is cleared, what is still violated is acknowledged.
UPDATE sqal_alert_state SET
    state = CASE state WHEN 'returned_unacknowledged' THEN 'cleared' ELSE 'acknowledged' END,
    cleared_at = CASE state WHEN 'returned_unacknowledged' THEN %(now)s::TIMESTAMPTZ ELSE cleared_at END,
    acknowledged_at = %(now)s, acknowledged_by = %(acknowledged_by)s, updated_at = %(now)s
WHERE alarm_id = %(alarm_id)s AND state IN ('unacknowledged', 'returned_unacknowledged')
RETURNING *;

-- name: api_open_alarm
-- Open a life cycle, or count one more occurrence of the one that is open.
INSERT INTO sqal_alert_state AS a (alarm_id, device_id, alert_type, site_code, line, severity, state, first_at, last_at,
    sample_id, message, params, updated_at)
VALUES (%(alarm_id)s, %(device_id)s, %(alert_type)s, %(site_code)s, %(line)s, %(severity)s, 'unacknowledged', %(now)s,
    %(now)s, %(sample_id)s, %(message)s, %(params)s, %(now)s)
ON CONFLICT (device_id, alert_type, lot_id) WHERE state <> 'cleared' DO UPDATE SET
    occurrences = a.occurrences + 1, last_at = EXCLUDED.last_at, severity = EXCLUDED.severity, good_streak = 0,
    sample_id = EXCLUDED.sample_id, message = EXCLUDED.message, params = EXCLUDED.params, updated_at = EXCLUDED.updated_at,
    state = CASE a.state WHEN 'shelved' THEN 'shelved' ELSE 'unacknowledged' END
RETURNING *;

-- name: api_insert_alert
-- Record one occurrence of an alert.
INSERT INTO sqal_alerts (time, device_id, sample_id, alert_type, severity, message, data_context, site_code, line,
    alarm_id)
VALUES (%(now)s, %(device_id)s, %(sample_id)s, %(alert_type)s, %(severity)s, %(message)s, %(data_context)s,
    %(site_code)s, %(line)s, %(alarm_id)s)
RETURNING alert_id;

-- name: api_announce
-- Have a message published once this transaction is committed.
INSERT INTO sqal_outbox (topic, payload, retain) VALUES (%(topic)s, %(payload)s, %(retain)s);
