-- What the REST API reads of alerts.

-- name: api_alerts
-- Alerts of a period, newest first; each filter only where given.
SELECT * FROM sqal_alerts
WHERE time >= %(start)s AND time < %(end)s
    AND (%(severity)s::TEXT IS NULL OR severity = %(severity)s)
    AND (%(is_acknowledged)s::BOOLEAN IS NULL OR is_acknowledged = %(is_acknowledged)s)
    AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY time DESC, alert_id DESC
LIMIT %(limit)s;

-- name: api_alert_site
-- Where an alert was raised.
SELECT site_code FROM sqal_alerts WHERE alert_id = %(alert_id)s LIMIT 1;

-- name: api_alert_states
-- Life cycles as they stand, the newest occurrence first; of a period, or still going on; each filter only where given.
SELECT alarm_id, alert_id, device_id, site_code, line, lot_id, sample_id, alert_type, severity, state, message,
    params AS data_context, occurrences, first_at, last_at AS time, returned_at, cleared_at, acknowledged_at,
    acknowledged_by, shelved_until, shelved_by, shelved_reason, (
        SELECT n.comment FROM sqal_alert_actions AS n
        WHERE n.alarm_id = s.alarm_id AND n.action = 'acknowledge' ORDER BY n.action_id DESC LIMIT 1
    ) AS comment
FROM sqal_alert_state AS s
WHERE is_notified
    AND (last_at >= %(start)s AND last_at < %(end)s OR state <> 'cleared' AND last_at < %(end)s)
    AND (%(states)s::TEXT[] IS NULL OR state = ANY (%(states)s::TEXT[]))
    AND (%(severity)s::TEXT IS NULL OR severity = %(severity)s)
    AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY last_at DESC, alarm_id
LIMIT %(limit)s;
