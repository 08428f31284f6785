-- Alerts: life cycle (sqal_alert_state) and history (sqal_alerts).

-- name: select_open_alerts
-- The open alerts of some devices, and those without a device of some sites, kept from others until commit.
SELECT alarm_id, device_id, alert_type, lot_id, site_code, line, severity, state, occurrences, good_streak,
    is_notified, first_at, last_at, sample_id, alert_id, message, params, shelved_until,
    acknowledged_at IS NOT NULL AS is_acknowledged
FROM sqal_alert_state
WHERE (device_id = ANY(%(device_ids)s) OR device_id IS NULL AND site_code = ANY(%(site_codes)s))
    AND state <> 'cleared'
ORDER BY alarm_id
FOR UPDATE;

-- name: select_all_open_alerts
-- Every alert of some sites (none given: of all) that is not cleared and speaks for itself: what MQTT has to show.
SELECT alarm_id, device_id, alert_type, lot_id, site_code, line, severity, state, occurrences, good_streak,
    is_notified, first_at, last_at, sample_id, alert_id, message, params, shelved_until,
    acknowledged_at IS NOT NULL AS is_acknowledged
FROM sqal_alert_state
WHERE state <> 'cleared' AND is_notified AND (%(site_codes)s::TEXT[] IS NULL OR site_code = ANY(%(site_codes)s::TEXT[]));

-- name: select_expired_shelves
-- Alerts whose time on the shelf is over, kept from others until commit.
SELECT alarm_id, device_id, alert_type, lot_id, site_code, line, severity, state, occurrences, good_streak,
    is_notified, first_at, last_at, sample_id, alert_id, message, params, shelved_until,
    acknowledged_at IS NOT NULL AS is_acknowledged
FROM sqal_alert_state
WHERE state = 'shelved' AND shelved_until <= %(now)s
FOR UPDATE;

-- name: select_open_alarm_ids
-- Which of some alarms are not cleared.
SELECT alarm_id FROM sqal_alert_state WHERE alarm_id = ANY(%(alarm_ids)s) AND state <> 'cleared';

-- name: select_devices_with_open_alerts
-- Which of some devices have an alert that is not cleared: the samples of all others need no look at alerts.
SELECT DISTINCT device_id FROM sqal_alert_state WHERE device_id = ANY(%(device_ids)s) AND state <> 'cleared';

-- name: take_alert_ids
-- Numbers for new rows of the history, before they are written.
SELECT nextval('sqal_alerts_alert_id_seq')::INTEGER FROM generate_series(1, %(count)s);

-- name: insert_alert
-- One occurrence for the history.
INSERT INTO sqal_alerts (time, alert_id, device_id, sample_id, alert_type, severity, message, data_context, site_code,
    line, lot_id, alarm_id)
VALUES (%(time)s, %(alert_id)s, %(device_id)s, %(sample_id)s, %(alert_type)s, %(severity)s, %(message)s,
    %(data_context)s, %(site_code)s, %(line)s, %(lot_id)s, %(alarm_id)s);

-- name: put_alert_state
-- The life cycle of one alert, new or moved on.
INSERT INTO sqal_alert_state AS s (alarm_id, device_id, alert_type, lot_id, site_code, line, severity, state,
    occurrences, good_streak, is_notified, first_at, last_at, sample_id, alert_id, message, params, shelved_until,
    returned_at, cleared_at)
VALUES (%(alarm_id)s, %(device_id)s, %(alert_type)s, %(lot_id)s, %(site_code)s, %(line)s, %(severity)s, %(state)s,
    %(occurrences)s, %(good_streak)s, %(is_notified)s, %(first_at)s, %(last_at)s, %(sample_id)s, %(alert_id)s,
    %(message)s, %(params)s, %(shelved_until)s,
    CASE WHEN %(state)s::VARCHAR = 'returned_unacknowledged' THEN NOW() END,
    CASE WHEN %(state)s::VARCHAR = 'cleared' THEN NOW() END)
ON CONFLICT (alarm_id) DO UPDATE SET
    severity = EXCLUDED.severity, state = EXCLUDED.state, occurrences = EXCLUDED.occurrences,
    good_streak = EXCLUDED.good_streak, is_notified = EXCLUDED.is_notified, last_at = EXCLUDED.last_at,
    sample_id = EXCLUDED.sample_id, alert_id = EXCLUDED.alert_id, message = EXCLUDED.message, params = EXCLUDED.params,
    shelved_until = EXCLUDED.shelved_until, returned_at = COALESCE(EXCLUDED.returned_at, s.returned_at),
    cleared_at = EXCLUDED.cleared_at, updated_at = NOW();

-- name: select_alarm_of_alert
-- The life cycle that a row of the history belongs to, kept from others until commit.
SELECT s.alarm_id, s.device_id, s.alert_type, s.lot_id, s.site_code, s.line, s.severity, s.state, s.occurrences,
    s.good_streak, s.is_notified, s.first_at, s.last_at, s.sample_id, s.alert_id, s.message, s.params, s.shelved_until,
    s.acknowledged_at IS NOT NULL AS is_acknowledged
FROM sqal_alert_state AS s JOIN sqal_alerts AS a USING (alarm_id)
WHERE a.alert_id = %(alert_id)s
FOR UPDATE OF s;

-- name: acknowledge_alert_row
-- Acknowledge one row of the history, or leave it as acknowledged first; none when it does not exist.
UPDATE sqal_alerts SET
    is_acknowledged = TRUE,
    acknowledged_at = COALESCE(acknowledged_at, NOW()),
    acknowledged_by = COALESCE(acknowledged_by, %(acknowledged_by)s)
WHERE alert_id = %(alert_id)s
RETURNING alert_id, alarm_id, acknowledged_by, acknowledged_at;

-- name: acknowledge_alarm_rows
-- All occurrences of a life cycle that are still open: who acknowledges the alert has seen them.
UPDATE sqal_alerts SET is_acknowledged = TRUE, acknowledged_at = NOW(), acknowledged_by = %(acknowledged_by)s
WHERE alarm_id = %(alarm_id)s AND NOT is_acknowledged;

-- name: acknowledge_alarm
-- Who acknowledged a life cycle, and when.
UPDATE sqal_alert_state SET acknowledged_at = NOW(), acknowledged_by = %(acknowledged_by)s
WHERE alarm_id = %(alarm_id)s;

-- name: note_shelved
-- Who put a life cycle on the shelf, and why.
UPDATE sqal_alert_state SET shelved_by = %(by)s, shelved_reason = %(reason)s WHERE alarm_id = %(alarm_id)s;

-- name: put_alert_action
-- What a person, or time, did about an alert.
INSERT INTO sqal_alert_actions (alarm_id, action, actor, comment, until)
VALUES (%(alarm_id)s, %(action)s, %(actor)s, %(comment)s, %(until)s);

-- name: select_alert_actions
-- What was done about the alert that a row of the history belongs to, oldest first.
SELECT n.time, n.action, n.actor, n.comment, n.until
FROM sqal_alert_actions AS n
WHERE n.alarm_id = (SELECT a.alarm_id FROM sqal_alerts AS a WHERE a.alert_id = %(alert_id)s LIMIT 1)
ORDER BY n.action_id;
