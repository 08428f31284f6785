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
