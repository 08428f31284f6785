-- Three roles without login: grant them to the users that ingest and API connect as. Run it as the owner of the database
-- after every `sqal db migrate`; it can be repeated.
--   psql -d gaveurs_db -f sql/roles.sql
--   CREATE USER sqal_ingester PASSWORD '…' IN ROLE sqal_ingest;
-- Ingest writes facts and never changes one; the API reads, and writes only what people decide; Grafana reads its views.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sqal_ingest') THEN CREATE ROLE sqal_ingest NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sqal_api') THEN CREATE ROLE sqal_api NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sqal_grafana') THEN CREATE ROLE sqal_grafana NOLOGIN; END IF;
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO sqal_ingest', current_database());
END
$$;

GRANT USAGE ON SCHEMA public TO sqal_ingest, sqal_api;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO sqal_ingest, sqal_api;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO sqal_ingest, sqal_api;

-- Facts: only ever added to.
GRANT INSERT ON sqal_sensor_samples, sqal_events, sqal_gaps, sqal_alerts TO sqal_ingest;
-- What ingest keeps up to date beside them.
GRANT INSERT, UPDATE ON sqal_alert_state, sqal_device_boots, sqal_dead_letters, sqal_counters TO sqal_ingest;
GRANT INSERT, DELETE ON sqal_outbox TO sqal_ingest;
GRANT INSERT, UPDATE ON sqal_notifications TO sqal_ingest;
GRANT INSERT ON sqal_alert_actions TO sqal_ingest;
GRANT DELETE ON sqal_dead_letters TO sqal_ingest;
GRANT UPDATE (last_seen) ON sqal_devices TO sqal_ingest;
-- Plain PostgreSQL keeps its hourly figures in a table that every INSERT of samples adds to.
DO $$
BEGIN
    IF to_regclass('sqal_stats_hours') IS NOT NULL THEN GRANT INSERT, UPDATE ON sqal_stats_hours TO sqal_ingest; END IF;
END
$$;

-- Starts of devices without a clock, noted by the raw worker; calibrations are put there by `sqal cloud calibrate`.
GRANT INSERT ON sqal_raw_boots, sqal_raw_calibrations TO sqal_ingest;

-- What people decide: acknowledge and shelve alerts, register devices.
GRANT UPDATE (is_acknowledged, acknowledged_at, acknowledged_by) ON sqal_alerts TO sqal_api;
GRANT INSERT, UPDATE ON sqal_alert_state, sqal_devices TO sqal_api;
GRANT INSERT ON sqal_outbox, sqal_notifications, sqal_alert_actions TO sqal_api;
GRANT INSERT, UPDATE, DELETE ON sqal_channels TO sqal_api;
GRANT INSERT, UPDATE, DELETE ON sqal_users, sqal_api_tokens, sqal_passes, sqal_login_failures TO sqal_api;
GRANT INSERT ON sqal_audit TO sqal_api;

-- What grades rest on. Recipes, activations, calibrations and challenge tests are only ever added to.
GRANT INSERT ON sqal_calibrations, sqal_challenges TO sqal_ingest;
GRANT INSERT ON sqal_recipes, sqal_recipe_activations TO sqal_api;
GRANT INSERT, UPDATE ON sqal_device_twins, sqal_references, sqal_ml_models TO sqal_api;

-- The ledger: its queue is filled with the fact, its leaves are only ever added (triggers refuse even the owner).
GRANT INSERT ON sqal_ledger_queue, sqal_ledger_private, sqal_ledger_salts TO sqal_ingest, sqal_api;
GRANT INSERT ON sqal_ledger, sqal_ledger_nodes, sqal_ledger_checkpoints TO sqal_ingest, sqal_api;
GRANT DELETE ON sqal_ledger_queue TO sqal_ingest, sqal_api;

-- Grafana: its views and no table, so no password, token or breeder's name can be asked for.
GRANT USAGE ON SCHEMA public TO sqal_grafana;
GRANT SELECT ON sqal_grafana_samples, sqal_grafana_hours, sqal_grafana_alerts, sqal_grafana_devices TO sqal_grafana;
