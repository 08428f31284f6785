-- The line's own tables. The customer's columns come first, under their names and types; ours follow, with defaults, so
-- that an INSERT written for the customer's table runs as it stands. Exception: matrices and channels are arrays, a third
-- of the size of JSONB and seven times as fast to write; the view sqal_sensor_samples_json has the JSONB types.

CREATE TABLE sqal_devices (
    device_id VARCHAR(100) PRIMARY KEY,
    device_name VARCHAR(200),
    firmware_version VARCHAR(20),
    site_code VARCHAR(2) REFERENCES sites_euralis(code),
    status VARCHAR(20) DEFAULT 'active',
    config_profile VARCHAR(50),
    created_at TIMESTAMPTZ DEFAULT NOW(),
    last_seen TIMESTAMPTZ,
    -- ours
    line VARCHAR(100) NOT NULL DEFAULT 'line1',
    agent VARCHAR(100),
    location VARCHAR(500)
);
CREATE INDEX sqal_devices_by_site ON sqal_devices (site_code);

CREATE TABLE sqal_sensor_samples (
    time TIMESTAMPTZ NOT NULL,
    sample_id VARCHAR(100) NOT NULL,
    device_id VARCHAR(100) NOT NULL,
    lot_id INTEGER REFERENCES lots_gavage(id),
    vl53l8ch_distance_matrix SMALLINT[8][8] NOT NULL,
    vl53l8ch_reflectance_matrix SMALLINT[8][8] NOT NULL,
    vl53l8ch_amplitude_matrix SMALLINT[8][8] NOT NULL,
    vl53l8ch_volume_mm3 DECIMAL(10,2),
    vl53l8ch_surface_uniformity DECIMAL(5,4),
    vl53l8ch_quality_score DECIMAL(5,4),
    vl53l8ch_grade VARCHAR(10),
    as7341_channels INTEGER[10] NOT NULL,
    as7341_freshness_index DECIMAL(5,4),
    as7341_fat_quality_index DECIMAL(5,4),
    as7341_oxidation_index DECIMAL(5,4),
    as7341_quality_score DECIMAL(5,4),
    fusion_final_score DECIMAL(5,4) NOT NULL,
    fusion_final_grade VARCHAR(10) NOT NULL,
    fusion_is_compliant BOOLEAN DEFAULT TRUE,
    -- ours: where and which
    site_code VARCHAR(2),
    line VARCHAR(100),
    ingested_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    boot_id UUID,
    seq BIGINT,
    piece_id VARCHAR(100),
    origin VARCHAR(10),
    hist BOOLEAN NOT NULL DEFAULT FALSE,
    schema_version INTEGER NOT NULL DEFAULT 1,
    clock_state VARCHAR(10),
    clock_error_ms DOUBLE PRECISION,
    -- ours: how it was judged
    agent VARCHAR(100),
    recipe VARCHAR(100),
    calibration_tof VARCHAR(100),
    calibration_spectral VARCHAR(100),
    reasons JSONB,
    quality_flags TEXT[] NOT NULL DEFAULT '{}',
    -- ours: more of each sensor; a column ending in _u is the standard uncertainty of its namesake, same unit
    vl53l8ch_status_matrix SMALLINT[8][8],
    vl53l8ch_ambient_matrix SMALLINT[8][8],
    vl53l8ch_avg_distance_mm DOUBLE PRECISION,
    vl53l8ch_std_distance_mm DOUBLE PRECISION,
    vl53l8ch_avg_reflectance DOUBLE PRECISION,
    vl53l8ch_volume_mm3_u DOUBLE PRECISION,
    vl53l8ch_surface_uniformity_u DOUBLE PRECISION,
    vl53l8ch_quality_score_u DOUBLE PRECISION,
    vl53l8ch_mass_g DOUBLE PRECISION,
    vl53l8ch_mass_g_u DOUBLE PRECISION,
    vl53l8ch_belt_distance_mm DOUBLE PRECISION,
    as7341_ratio_red_nir DOUBLE PRECISION,
    as7341_ratio_clear_nir DOUBLE PRECISION,
    as7341_freshness_index_u DOUBLE PRECISION,
    as7341_fat_quality_index_u DOUBLE PRECISION,
    as7341_oxidation_index_u DOUBLE PRECISION,
    as7341_quality_score_u DOUBLE PRECISION,
    as7341_gain DOUBLE PRECISION,
    as7341_integration_ms DOUBLE PRECISION,
    as7341_led_ma DOUBLE PRECISION,
    fusion_weight_tof DOUBLE PRECISION,
    fusion_weight_spectral DOUBLE PRECISION,
    fusion_confidence_level DOUBLE PRECISION,
    fusion_final_score_u DOUBLE PRECISION,
    fusion_grade_probability DOUBLE PRECISION,
    -- ours: traceability as the sender wrote it (personal data)
    location VARCHAR(500),
    lot_abattage VARCHAR(100),
    eleveur VARCHAR(500),
    provenance VARCHAR(500),
    meta JSONB,
    cnh JSONB,
    firmware_version VARCHAR(20),
    temperature_c DOUBLE PRECISION,
    humidity_pct DOUBLE PRECISION,
    PRIMARY KEY (time, sample_id)
);
-- A message of a numbered sender is one row for ever; the time is in the key because a hypertable demands it.
CREATE UNIQUE INDEX sqal_sensor_samples_number ON sqal_sensor_samples (device_id, boot_id, seq, time)
    WHERE boot_id IS NOT NULL;
CREATE INDEX sqal_sensor_samples_by_device ON sqal_sensor_samples (device_id, time DESC);
CREATE INDEX sqal_sensor_samples_by_lot ON sqal_sensor_samples (lot_id, time DESC) WHERE lot_id IS NOT NULL;
CREATE INDEX sqal_sensor_samples_by_arrival ON sqal_sensor_samples USING brin (ingested_at);

CREATE TABLE sqal_alerts (
    time TIMESTAMPTZ NOT NULL,
    alert_id SERIAL,
    device_id VARCHAR(100),   -- none for an alert of the system itself
    sample_id VARCHAR(100),
    alert_type VARCHAR(50) NOT NULL,
    severity VARCHAR(20) NOT NULL,
    message TEXT NOT NULL,
    data_context JSONB,
    is_acknowledged BOOLEAN DEFAULT FALSE,
    acknowledged_at TIMESTAMPTZ,
    acknowledged_by VARCHAR(200),
    -- ours
    site_code VARCHAR(2),
    line VARCHAR(100),
    lot_id INTEGER,
    alarm_id UUID,            -- the life cycle in sqal_alert_state that this occurrence belongs to
    PRIMARY KEY (time, alert_id)
);
CREATE INDEX sqal_alerts_by_id ON sqal_alerts (alert_id);
CREATE INDEX sqal_alerts_by_device ON sqal_alerts (device_id, time DESC);
CREATE INDEX sqal_alerts_open ON sqal_alerts (time DESC) WHERE NOT is_acknowledged;

CREATE TABLE sqal_ml_models (
    model_id SERIAL PRIMARY KEY,
    model_name VARCHAR(200) NOT NULL,
    model_type VARCHAR(50) NOT NULL,
    version VARCHAR(20),
    framework VARCHAR(50),
    file_path TEXT,
    accuracy DECIMAL(5,4),
    precision DECIMAL(5,4),
    recall DECIMAL(5,4),
    f1_score DECIMAL(5,4),
    training_date TIMESTAMPTZ,
    is_active BOOLEAN DEFAULT FALSE,
    hyperparameters JSONB,
    feature_importance JSONB,
    created_at TIMESTAMPTZ DEFAULT NOW()
);

CREATE TABLE sqal_blockchain_txns (
    txn_id SERIAL PRIMARY KEY,
    sample_id VARCHAR(100) NOT NULL,
    block_hash VARCHAR(128) NOT NULL,
    txn_hash VARCHAR(128) NOT NULL,
    timestamp TIMESTAMPTZ DEFAULT NOW(),
    contract_address VARCHAR(100),
    gas_used INTEGER,
    data_ipfs_hash VARCHAR(128)
);
CREATE INDEX sqal_blockchain_txns_by_sample ON sqal_blockchain_txns (sample_id);

-- Life cycle of alerts (ISA-18.2): at most one that is not cleared per device, rule and lot.
CREATE TABLE sqal_alert_state (
    alarm_id UUID PRIMARY KEY,
    device_id VARCHAR(100),
    alert_type VARCHAR(50) NOT NULL,
    lot_id INTEGER,
    site_code VARCHAR(2) NOT NULL,
    line VARCHAR(100),
    severity VARCHAR(20) NOT NULL,
    state VARCHAR(30) NOT NULL
        CHECK (state IN ('unacknowledged', 'acknowledged', 'returned_unacknowledged', 'cleared', 'shelved')),
    occurrences BIGINT NOT NULL DEFAULT 1 CHECK (occurrences > 0),
    good_streak INTEGER NOT NULL DEFAULT 0,   -- samples in a row without this violation since the last one with it
    is_notified BOOLEAN NOT NULL DEFAULT TRUE,  -- false while another alert of the same piece speaks for this one
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL,
    returned_at TIMESTAMPTZ,
    cleared_at TIMESTAMPTZ,
    acknowledged_at TIMESTAMPTZ,
    acknowledged_by VARCHAR(200),
    shelved_until TIMESTAMPTZ,
    shelved_reason VARCHAR(500),
    sample_id VARCHAR(100),                   -- of the last occurrence, as is
    alert_id INTEGER,                         -- its row in sqal_alerts
    message TEXT NOT NULL,
    params JSONB NOT NULL DEFAULT '{}',
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE UNIQUE INDEX sqal_alert_state_open ON sqal_alert_state (device_id, alert_type, lot_id) NULLS NOT DISTINCT
    WHERE state <> 'cleared';
CREATE INDEX sqal_alert_state_by_time ON sqal_alert_state (last_at DESC);

-- What happened at a device; numbered together with its samples.
CREATE TABLE sqal_events (
    time TIMESTAMPTZ NOT NULL,
    device_id VARCHAR(100) NOT NULL,
    boot_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    kind VARCHAR(30) NOT NULL,
    severity VARCHAR(20) NOT NULL DEFAULT 'info',
    site_code VARCHAR(2),
    line VARCHAR(100),
    piece_id VARCHAR(100),
    lot_id INTEGER,
    reason JSONB,
    data JSONB NOT NULL DEFAULT '{}',
    hist BOOLEAN NOT NULL DEFAULT FALSE,
    clock_state VARCHAR(10),
    clock_error_ms DOUBLE PRECISION,
    ingested_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    PRIMARY KEY (device_id, boot_id, seq)
);
CREATE INDEX sqal_events_by_time ON sqal_events (time DESC);
CREATE INDEX sqal_events_by_kind ON sqal_events (kind, time DESC);

-- Numbers that will never arrive, as the device itself said: rows and gaps together are everything ever numbered.
CREATE TABLE sqal_gaps (
    device_id VARCHAR(100) NOT NULL,
    boot_id UUID NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL CHECK (last_seq >= first_seq),
    reason VARCHAR(100) NOT NULL,
    time TIMESTAMPTZ NOT NULL,
    site_code VARCHAR(2),
    line VARCHAR(100),
    ingested_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    PRIMARY KEY (device_id, boot_id, first_seq, last_seq)
);
CREATE INDEX sqal_gaps_by_time ON sqal_gaps (time DESC);

-- Each start of a device, and the highest number seen of it.
CREATE TABLE sqal_device_boots (
    device_id VARCHAR(100) NOT NULL,
    boot_id UUID NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    last_seen TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    highest_seq BIGINT NOT NULL,
    PRIMARY KEY (device_id, boot_id)
);

-- Messages that were not accepted, with their bytes. One row per content: repetition counts up. Bounded, see
-- sqal_trim_dead_letters.
CREATE TABLE sqal_dead_letters (
    dead_letter_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest BYTEA NOT NULL UNIQUE,             -- of topic, reason and payload
    reason VARCHAR(50) NOT NULL,              -- a code: not_json, invalid, oversized, unknown_device, …
    path VARCHAR(500),                        -- where in the message, as a JSON path
    detail VARCHAR(1000) NOT NULL,
    topic VARCHAR(65535) NOT NULL,
    device_id VARCHAR(100),
    site_code VARCHAR(100),                   -- as the topic says; it may be no site at all
    boot_id UUID,
    seq BIGINT,
    is_held BOOLEAN NOT NULL DEFAULT FALSE,   -- the device keeps it and will send it again
    payload BYTEA NOT NULL,
    payload_bytes INTEGER NOT NULL,
    occurrences BIGINT NOT NULL DEFAULT 1,
    first_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    last_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    replayed_at TIMESTAMPTZ
);
CREATE INDEX sqal_dead_letters_by_time ON sqal_dead_letters (last_at DESC);

-- What has to be published because of a commit; written in the same transaction, removed once the broker has it.
CREATE TABLE sqal_outbox (
    outbox_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic VARCHAR(500) NOT NULL,
    payload BYTEA NOT NULL,                   -- empty: clears the retained message
    retain BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

-- Totals that outlive the rows they count.
CREATE TABLE sqal_counters (
    name VARCHAR(100) PRIMARY KEY,
    total BIGINT NOT NULL DEFAULT 0
);
