-- What the REST API reads of alerts.

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
