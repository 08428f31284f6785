-- Alerts of the system itself (no device, one for each site), what people did about alerts, and who is told of them.

ALTER TABLE sqal_alert_state ADD COLUMN shelved_by VARCHAR(200);

DROP INDEX sqal_alert_state_open;
CREATE UNIQUE INDEX sqal_alert_state_open ON sqal_alert_state (device_id, alert_type, lot_id, site_code)
    NULLS NOT DISTINCT WHERE state <> 'cleared';

-- Who acknowledged or shelved what, why, and until when; only ever added to.
CREATE TABLE sqal_alert_actions (
    action_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    alarm_id UUID NOT NULL,
    action VARCHAR(20) NOT NULL CHECK (action IN ('acknowledge', 'shelve', 'unshelve', 'expire')),
    actor VARCHAR(200) NOT NULL,
    comment VARCHAR(1000),
    until TIMESTAMPTZ
);
CREATE INDEX sqal_alert_actions_by_alarm ON sqal_alert_actions (alarm_id, action_id);

-- Where alerts are told beside MQTT and live views. A channel without sites hears of all.
CREATE TABLE sqal_channels (
    channel_id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name VARCHAR(100) NOT NULL UNIQUE,
    kind VARCHAR(10) NOT NULL CHECK (kind IN ('email', 'webhook', 'mqtt')),
    target VARCHAR(500) NOT NULL,             -- addresses separated by commas, an URL, or a topic
    min_severity VARCHAR(20) NOT NULL DEFAULT 'warning' CHECK (min_severity IN ('info', 'warning', 'critical')),
    sites VARCHAR(2)[],
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

-- Every message to a channel: written with the alert that it tells of, sent at least once, kept as the log.
CREATE TABLE sqal_notifications (
    notification_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel_id INTEGER NOT NULL REFERENCES sqal_channels ON DELETE CASCADE,
    alarm_id UUID,                            -- none for a test
    site_code VARCHAR(2) NOT NULL,
    payload BYTEA NOT NULL,                   -- the alarm as it was then, JSON
    state VARCHAR(10) NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    last_error VARCHAR(500),
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    settled_at TIMESTAMPTZ
);
CREATE INDEX sqal_notifications_waiting ON sqal_notifications (next_at) WHERE state = 'waiting';
CREATE INDEX sqal_notifications_by_time ON sqal_notifications (created_at DESC);
