-- SQAL's schema on plain PostgreSQL 15 or newer. Made by `sqal db schema` from the migrations; a test compares the two.
-- `psql -f sql/schema.sql` makes it whole in an empty database, and `sqal db migrate` goes on from there. Where
-- TimescaleDB is to be used, begin with `sqal db migrate`: this file has its plain counterpart.

\set ON_ERROR_STOP on
BEGIN;

-- Tables of the customer's other system that ours refer to. Where they exist they are never touched.

DO $$
BEGIN
    IF to_regclass('sites_euralis') IS NULL THEN
        CREATE TABLE sites_euralis (
            id SERIAL PRIMARY KEY,
            code VARCHAR(2) NOT NULL UNIQUE,
            nom VARCHAR(100) NOT NULL,
            region VARCHAR(100)
        );
        INSERT INTO sites_euralis (code, nom, region) VALUES
            ('LL', 'Bretagne', 'Bretagne'),
            ('LS', 'Pays de Loire', 'Pays de la Loire'),
            ('MT', 'Maubourguet', 'Occitanie');
    END IF;
    IF to_regclass('lots_gavage') IS NULL THEN
        CREATE TABLE lots_gavage (
            id SERIAL PRIMARY KEY,
            code_lot VARCHAR(50) NOT NULL UNIQUE,
            site_code VARCHAR(2) REFERENCES sites_euralis(code),
            gaveur_id INTEGER,
            debut_lot DATE NOT NULL,
            fin_lot DATE,
            nb_canards INTEGER,
            itm_moyen DECIMAL(6,3),
            statut VARCHAR(20) NOT NULL DEFAULT 'en_cours'
        );
    END IF;
END
$$;

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

-- Statistics on plain PostgreSQL: kept up to date by every INSERT, so they are never late and never need the samples
-- again. They keep sums and counts: longer periods add up what shorter ones hold and never average averages.

CREATE TABLE sqal_stats_hours (
    bucket TIMESTAMPTZ NOT NULL,
    device_id VARCHAR(100) NOT NULL,
    site_code VARCHAR(2),
    line VARCHAR(100),
    sample_count BIGINT NOT NULL,
    count_a_plus BIGINT NOT NULL,
    count_a BIGINT NOT NULL,
    count_b BIGINT NOT NULL,
    count_c BIGINT NOT NULL,
    count_reject BIGINT NOT NULL,
    count_compliant BIGINT NOT NULL,
    sum_quality_score NUMERIC NOT NULL,
    count_volume BIGINT NOT NULL,
    sum_volume_mm3 NUMERIC NOT NULL,
    count_freshness BIGINT NOT NULL,
    sum_freshness_index NUMERIC NOT NULL
);
CREATE UNIQUE INDEX sqal_stats_hours_key ON sqal_stats_hours (bucket, device_id, site_code, line) NULLS NOT DISTINCT;

CREATE FUNCTION sqal_add_to_stats() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sqal_stats_hours AS h
    SELECT date_trunc('hour', time, 'UTC'), device_id, site_code, line,
        COUNT(*),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'A+'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'A'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'B'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'C'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'REJECT'),
        COUNT(*) FILTER (WHERE fusion_is_compliant),
        SUM(fusion_final_score),
        COUNT(vl53l8ch_volume_mm3), COALESCE(SUM(vl53l8ch_volume_mm3), 0),
        COUNT(as7341_freshness_index), COALESCE(SUM(as7341_freshness_index), 0)
    FROM new_samples
    GROUP BY 1, 2, 3, 4
    ORDER BY 1, 2, 3, 4  -- two writers that take rows in one order cannot wait for each other
    ON CONFLICT (bucket, device_id, site_code, line) DO UPDATE SET
        sample_count = h.sample_count + EXCLUDED.sample_count,
        count_a_plus = h.count_a_plus + EXCLUDED.count_a_plus,
        count_a = h.count_a + EXCLUDED.count_a,
        count_b = h.count_b + EXCLUDED.count_b,
        count_c = h.count_c + EXCLUDED.count_c,
        count_reject = h.count_reject + EXCLUDED.count_reject,
        count_compliant = h.count_compliant + EXCLUDED.count_compliant,
        sum_quality_score = h.sum_quality_score + EXCLUDED.sum_quality_score,
        count_volume = h.count_volume + EXCLUDED.count_volume,
        sum_volume_mm3 = h.sum_volume_mm3 + EXCLUDED.sum_volume_mm3,
        count_freshness = h.count_freshness + EXCLUDED.count_freshness,
        sum_freshness_index = h.sum_freshness_index + EXCLUDED.sum_freshness_index;
    RETURN NULL;
END
$$;
CREATE TRIGGER sqal_add_to_stats AFTER INSERT ON sqal_sensor_samples
    REFERENCING NEW TABLE AS new_samples FOR EACH STATEMENT EXECUTE FUNCTION sqal_add_to_stats();

CREATE VIEW sqal_hourly_stats AS
SELECT bucket, device_id, sample_count,
    sum_quality_score / sample_count AS avg_quality_score,
    count_a_plus, count_a, count_b, count_c, count_reject,
    sum_volume_mm3 / NULLIF(count_volume, 0) AS avg_volume_mm3,
    sum_freshness_index / NULLIF(count_freshness, 0) AS avg_freshness_index,
    count_compliant::FLOAT / sample_count * 100 AS compliance_rate_pct,
    -- ours
    site_code, line, count_compliant, sum_quality_score, count_volume, sum_volume_mm3, count_freshness,
    sum_freshness_index
FROM sqal_stats_hours;

CREATE VIEW sqal_site_stats AS
SELECT date_trunc('day', bucket, 'UTC') AS bucket, site_code,
    SUM(sample_count)::BIGINT AS total_samples,
    SUM(sum_quality_score) / SUM(sample_count) AS avg_quality_score,
    SUM(count_compliant)::FLOAT / SUM(sample_count)::FLOAT * 100 AS compliance_rate_pct,
    SUM(count_a_plus)::BIGINT AS count_a_plus,
    SUM(count_a)::BIGINT AS count_a,
    SUM(count_b)::BIGINT AS count_b,
    SUM(count_c)::BIGINT AS count_c,
    SUM(count_reject)::BIGINT AS count_reject,
    -- ours
    SUM(count_compliant)::BIGINT AS count_compliant,
    SUM(sum_quality_score) AS sum_quality_score
FROM sqal_stats_hours
GROUP BY date_trunc('day', bucket, 'UTC'), site_code;

-- Views and functions that are the same with and without TimescaleDB.

-- A row that comes without its site (an INSERT written for the customer's table) takes site and line of its device.
CREATE FUNCTION sqal_fill_site() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT d.site_code, COALESCE(NEW.line, d.line) INTO NEW.site_code, NEW.line
    FROM sqal_devices d WHERE d.device_id = NEW.device_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER sqal_fill_site BEFORE INSERT ON sqal_sensor_samples
    FOR EACH ROW WHEN (NEW.site_code IS NULL) EXECUTE FUNCTION sqal_fill_site();

-- An 8 x 8 matrix of a JSON document; numbers are rounded, null stays null.
CREATE FUNCTION sqal_matrix(p_matrix JSONB) RETURNS SMALLINT[] LANGUAGE SQL IMMUTABLE AS $$
    SELECT array_agg(cells ORDER BY i)
    FROM (
        SELECT i, array_agg(ROUND(cell::NUMERIC)::SMALLINT ORDER BY j) AS cells
        FROM jsonb_array_elements(p_matrix) WITH ORDINALITY AS r (zones, i),
            jsonb_array_elements_text(zones) WITH ORDINALITY AS c (cell, j)
        GROUP BY i
    ) AS by_row
$$;

-- Ten channel counts of a JSON document: an object by channel name or a list in the chip's order.
CREATE FUNCTION sqal_channels(p_channels JSONB) RETURNS INTEGER[] LANGUAGE SQL IMMUTABLE AS $$
    SELECT CASE jsonb_typeof(p_channels)
        WHEN 'array' THEN (
            SELECT array_agg(ROUND(value::NUMERIC)::INTEGER ORDER BY n)
            FROM jsonb_array_elements_text(p_channels) WITH ORDINALITY AS c (value, n))
        ELSE (
            SELECT array_agg(ROUND((p_channels ->> name)::NUMERIC)::INTEGER ORDER BY n)
            FROM unnest(ARRAY['F1_415nm', 'F2_445nm', 'F3_480nm', 'F4_515nm', 'F5_555nm', 'F6_590nm', 'F7_630nm',
                'F8_680nm', 'Clear', 'NIR']) WITH ORDINALITY AS c (name, n))
        END
$$;

-- The samples with the customer's JSONB types: matrices as nested lists, channels as an object of ten.
CREATE VIEW sqal_sensor_samples_json AS
SELECT time, sample_id, device_id, lot_id,
    to_jsonb(vl53l8ch_distance_matrix) AS vl53l8ch_distance_matrix,
    to_jsonb(vl53l8ch_reflectance_matrix) AS vl53l8ch_reflectance_matrix,
    to_jsonb(vl53l8ch_amplitude_matrix) AS vl53l8ch_amplitude_matrix,
    vl53l8ch_volume_mm3, vl53l8ch_surface_uniformity, vl53l8ch_quality_score, vl53l8ch_grade,
    jsonb_build_object(
        'F1_415nm', as7341_channels[1], 'F2_445nm', as7341_channels[2], 'F3_480nm', as7341_channels[3],
        'F4_515nm', as7341_channels[4], 'F5_555nm', as7341_channels[5], 'F6_590nm', as7341_channels[6],
        'F7_630nm', as7341_channels[7], 'F8_680nm', as7341_channels[8], 'Clear', as7341_channels[9],
        'NIR', as7341_channels[10]) AS as7341_channels,
    as7341_freshness_index, as7341_fat_quality_index, as7341_oxidation_index, as7341_quality_score,
    fusion_final_score, fusion_final_grade, fusion_is_compliant,
    site_code, line, ingested_at, boot_id, seq, piece_id, origin, hist, schema_version, clock_state, clock_error_ms,
    agent, recipe, calibration_tof, calibration_spectral, reasons, quality_flags,
    to_jsonb(vl53l8ch_status_matrix) AS vl53l8ch_status_matrix,
    to_jsonb(vl53l8ch_ambient_matrix) AS vl53l8ch_ambient_matrix,
    vl53l8ch_avg_distance_mm, vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance, vl53l8ch_volume_mm3_u,
    vl53l8ch_surface_uniformity_u, vl53l8ch_quality_score_u, vl53l8ch_mass_g, vl53l8ch_mass_g_u,
    vl53l8ch_belt_distance_mm, as7341_ratio_red_nir, as7341_ratio_clear_nir, as7341_freshness_index_u,
    as7341_fat_quality_index_u, as7341_oxidation_index_u, as7341_quality_score_u, as7341_gain, as7341_integration_ms,
    as7341_led_ma, fusion_weight_tof, fusion_weight_spectral, fusion_confidence_level, fusion_final_score_u,
    fusion_grade_probability, location, lot_abattage, eleveur, provenance, meta, cnh, firmware_version, temperature_c,
    humidity_pct
FROM sqal_sensor_samples;

-- The customer's own INSERT, with JSONB matrices, runs on the view; what it may set is the customer's columns.
CREATE FUNCTION sqal_insert_json_sample() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sqal_sensor_samples (time, sample_id, device_id, lot_id,
        vl53l8ch_distance_matrix, vl53l8ch_reflectance_matrix, vl53l8ch_amplitude_matrix,
        vl53l8ch_volume_mm3, vl53l8ch_surface_uniformity, vl53l8ch_quality_score, vl53l8ch_grade,
        as7341_channels, as7341_freshness_index, as7341_fat_quality_index, as7341_oxidation_index,
        as7341_quality_score, fusion_final_score, fusion_final_grade, fusion_is_compliant, site_code, line)
    VALUES (NEW.time, NEW.sample_id, NEW.device_id, NEW.lot_id,
        sqal_matrix(NEW.vl53l8ch_distance_matrix), sqal_matrix(NEW.vl53l8ch_reflectance_matrix),
        sqal_matrix(NEW.vl53l8ch_amplitude_matrix),
        NEW.vl53l8ch_volume_mm3, NEW.vl53l8ch_surface_uniformity, NEW.vl53l8ch_quality_score, NEW.vl53l8ch_grade,
        sqal_channels(NEW.as7341_channels), NEW.as7341_freshness_index, NEW.as7341_fat_quality_index,
        NEW.as7341_oxidation_index, NEW.as7341_quality_score, NEW.fusion_final_score, NEW.fusion_final_grade,
        COALESCE(NEW.fusion_is_compliant, TRUE), NEW.site_code, NEW.line);
    RETURN NEW;
END
$$;
CREATE TRIGGER sqal_insert_json_sample INSTEAD OF INSERT ON sqal_sensor_samples_json
    FOR EACH ROW EXECUTE FUNCTION sqal_insert_json_sample();

-- The newest sample, of one device or of all.
CREATE FUNCTION get_latest_sqal_sample(p_device_id VARCHAR DEFAULT NULL)
RETURNS SETOF sqal_sensor_samples_json LANGUAGE SQL STABLE AS $$
    SELECT * FROM sqal_sensor_samples_json
    WHERE (p_device_id IS NULL OR device_id = p_device_id)
    ORDER BY time DESC
    LIMIT 1
$$;

-- Exact figures of any period: whole hours from the statistics, the pieces at both ends from the samples.
CREATE FUNCTION get_sqal_stats_period(
    p_start TIMESTAMPTZ,
    p_end TIMESTAMPTZ,
    p_site_code VARCHAR DEFAULT NULL
) RETURNS TABLE (
    total_samples BIGINT,
    avg_quality_score NUMERIC,
    compliance_rate_pct DOUBLE PRECISION,
    count_a_plus BIGINT,
    count_a BIGINT,
    count_b BIGINT,
    count_c BIGINT,
    count_reject BIGINT,
    avg_volume_mm3 NUMERIC,
    avg_freshness_index NUMERIC
) LANGUAGE SQL STABLE AS $$
    WITH edges AS (
        SELECT LEAST(first_whole, p_end) AS head_end, GREATEST(first_whole, last_whole) AS whole_end, first_whole,
            CASE WHEN last_whole < first_whole THEN p_end ELSE last_whole END AS tail_start
        FROM (SELECT date_trunc('hour', p_start + INTERVAL '1 hour - 1 microsecond', 'UTC') AS first_whole,
                     date_trunc('hour', p_end, 'UTC') AS last_whole) AS hours
    ),
    parts AS (
        SELECT h.sample_count AS n, h.sum_quality_score AS score, h.count_compliant AS compliant, h.count_a_plus AS ap,
            h.count_a AS a, h.count_b AS b, h.count_c AS c, h.count_reject AS r, h.sum_volume_mm3 AS volume,
            h.count_volume AS volumes, h.sum_freshness_index AS fresh, h.count_freshness AS freshes
        FROM sqal_hourly_stats h, edges e
        WHERE h.bucket >= e.first_whole AND h.bucket < e.whole_end
            AND (p_site_code IS NULL OR h.site_code = p_site_code)
        UNION ALL
        SELECT 1, s.fusion_final_score, (s.fusion_is_compliant)::INTEGER, (s.fusion_final_grade = 'A+')::INTEGER,
            (s.fusion_final_grade = 'A')::INTEGER, (s.fusion_final_grade = 'B')::INTEGER,
            (s.fusion_final_grade = 'C')::INTEGER, (s.fusion_final_grade = 'REJECT')::INTEGER,
            COALESCE(s.vl53l8ch_volume_mm3, 0), (s.vl53l8ch_volume_mm3 IS NOT NULL)::INTEGER,
            COALESCE(s.as7341_freshness_index, 0), (s.as7341_freshness_index IS NOT NULL)::INTEGER
        FROM sqal_sensor_samples s, edges e
        WHERE ((s.time >= p_start AND s.time < e.head_end) OR (s.time >= e.tail_start AND s.time < p_end))
            AND (p_site_code IS NULL OR s.site_code = p_site_code)
    )
    SELECT COALESCE(SUM(n), 0)::BIGINT, SUM(score) / NULLIF(SUM(n), 0),
        SUM(compliant)::FLOAT / NULLIF(SUM(n), 0)::FLOAT * 100,
        COALESCE(SUM(ap), 0)::BIGINT, COALESCE(SUM(a), 0)::BIGINT, COALESCE(SUM(b), 0)::BIGINT,
        COALESCE(SUM(c), 0)::BIGINT, COALESCE(SUM(r), 0)::BIGINT,
        SUM(volume) / NULLIF(SUM(volumes), 0), SUM(fresh) / NULLIF(SUM(freshes), 0)
    FROM parts
$$;

-- Keep the dead letters within their bounds, oldest first; says how many went and counts them.
CREATE FUNCTION sqal_trim_dead_letters(p_age INTERVAL, p_bytes BIGINT) RETURNS BIGINT LANGUAGE SQL AS $$
    WITH gone AS (
        DELETE FROM sqal_dead_letters WHERE dead_letter_id IN (
            SELECT dead_letter_id FROM (
                SELECT dead_letter_id, last_at, SUM(payload_bytes) OVER (ORDER BY last_at DESC, dead_letter_id DESC)
                    AS bytes_so_far
                FROM sqal_dead_letters) AS newest_first
            WHERE bytes_so_far > p_bytes OR last_at < NOW() - p_age)
        RETURNING 1
    ), counted AS (
        INSERT INTO sqal_counters AS c (name, total)
        SELECT 'dead_letters_trimmed', COUNT(*) FROM gone HAVING COUNT(*) > 0
        ON CONFLICT (name) DO UPDATE SET total = c.total + EXCLUDED.total
    )
    SELECT COUNT(*) FROM gone
$$;

-- The customer's three devices, one per site; only where their sites exist.

INSERT INTO sqal_devices (device_id, device_name, firmware_version, site_code, status, config_profile, created_at)
SELECT d.* FROM (VALUES
    ('ESP32_LL_01', 'Capteur Site Bretagne (LL)', 'v1.2.3', 'LL', 'active', 'standard', NOW()),
    ('ESP32_LS_01', 'Capteur Site Pays de Loire (LS)', 'v1.2.3', 'LS', 'active', 'standard', NOW()),
    ('ESP32_MT_01', 'Capteur Site Maubourguet (MT)', 'v1.2.3', 'MT', 'active', 'standard', NOW())
) AS d (device_id, device_name, firmware_version, site_code, status, config_profile, created_at)
WHERE EXISTS (SELECT FROM sites_euralis s WHERE s.code = d.site_code)
ON CONFLICT (device_id) DO NOTHING;

-- Figures of a period ten times faster: each end of it is a range of its own on the index of time. One condition with
-- OR over both read every sample there is.

CREATE FUNCTION sqal_stats_of_samples(p_start TIMESTAMPTZ, p_end TIMESTAMPTZ, p_site_code VARCHAR)
RETURNS TABLE (
    n BIGINT, score NUMERIC, compliant BIGINT, ap BIGINT, a BIGINT, b BIGINT, c BIGINT, r BIGINT, volume NUMERIC,
    volumes BIGINT, fresh NUMERIC, freshes BIGINT
) LANGUAGE SQL STABLE AS $$
    SELECT COUNT(*), SUM(fusion_final_score),
        COUNT(*) FILTER (WHERE fusion_is_compliant),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'A+'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'A'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'B'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'C'),
        COUNT(*) FILTER (WHERE fusion_final_grade = 'REJECT'),
        SUM(vl53l8ch_volume_mm3), COUNT(vl53l8ch_volume_mm3),
        SUM(as7341_freshness_index), COUNT(as7341_freshness_index)
    FROM sqal_sensor_samples
    WHERE time >= p_start AND time < p_end AND (p_site_code IS NULL OR site_code = p_site_code)
$$;

CREATE OR REPLACE FUNCTION get_sqal_stats_period(
    p_start TIMESTAMPTZ,
    p_end TIMESTAMPTZ,
    p_site_code VARCHAR DEFAULT NULL
) RETURNS TABLE (
    total_samples BIGINT,
    avg_quality_score NUMERIC,
    compliance_rate_pct DOUBLE PRECISION,
    count_a_plus BIGINT,
    count_a BIGINT,
    count_b BIGINT,
    count_c BIGINT,
    count_reject BIGINT,
    avg_volume_mm3 NUMERIC,
    avg_freshness_index NUMERIC
) LANGUAGE SQL STABLE AS $$
    WITH edges AS (
        SELECT LEAST(first_whole, p_end) AS head_end, GREATEST(first_whole, last_whole) AS whole_end, first_whole,
            CASE WHEN last_whole < first_whole THEN p_end ELSE last_whole END AS tail_start
        FROM (SELECT date_trunc('hour', p_start + INTERVAL '1 hour - 1 microsecond', 'UTC') AS first_whole,
                     date_trunc('hour', p_end, 'UTC') AS last_whole) AS hours
    ),
    parts AS (
        SELECT h.sample_count AS n, h.sum_quality_score AS score, h.count_compliant AS compliant, h.count_a_plus AS ap,
            h.count_a AS a, h.count_b AS b, h.count_c AS c, h.count_reject AS r, h.sum_volume_mm3 AS volume,
            h.count_volume AS volumes, h.sum_freshness_index AS fresh, h.count_freshness AS freshes
        FROM sqal_hourly_stats h, edges e
        WHERE h.bucket >= e.first_whole AND h.bucket < e.whole_end
            AND (p_site_code IS NULL OR h.site_code = p_site_code)
        UNION ALL
        SELECT e.* FROM edges, LATERAL sqal_stats_of_samples(p_start, edges.head_end, p_site_code) AS e
        UNION ALL
        SELECT e.* FROM edges, LATERAL sqal_stats_of_samples(edges.tail_start, p_end, p_site_code) AS e
    )
    SELECT COALESCE(SUM(n), 0)::BIGINT, SUM(score) / NULLIF(SUM(n), 0),
        SUM(compliant)::FLOAT / NULLIF(SUM(n), 0)::FLOAT * 100,
        COALESCE(SUM(ap), 0)::BIGINT, COALESCE(SUM(a), 0)::BIGINT, COALESCE(SUM(b), 0)::BIGINT,
        COALESCE(SUM(c), 0)::BIGINT, COALESCE(SUM(r), 0)::BIGINT,
        SUM(volume) / NULLIF(SUM(volumes), 0), SUM(fresh) / NULLIF(SUM(freshes), 0)
    FROM parts
$$;

-- A sample is looked up by its id alone: the page, a certificate and a dead letter name nothing else.

CREATE INDEX sqal_sensor_samples_by_id ON sqal_sensor_samples (sample_id, time DESC);

-- What grades rest on: recipes, what devices shall be set to, calibrations, reference pieces and challenge tests. Whatever
-- a grade or an audit refers to is only ever added to: a trigger refuses to change it.

CREATE FUNCTION sqal_keep_as_written() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to: % is refused', TG_TABLE_NAME, TG_OP;
END
$$;

CREATE TABLE sqal_recipes (
    name VARCHAR(80) NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    recipe_values JSONB NOT NULL,             -- every field of a recipe, name and version among them
    comment VARCHAR(1000) NOT NULL DEFAULT '',
    created_by VARCHAR(200) NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (name, version)
);
CREATE TRIGGER sqal_recipes_as_written BEFORE UPDATE OR DELETE OR TRUNCATE ON sqal_recipes
    FOR EACH STATEMENT EXECUTE FUNCTION sqal_keep_as_written();

-- Which recipe is to be used where, and since when; for a device the newest that covers it holds.
CREATE TABLE sqal_recipe_activations (
    activation_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name VARCHAR(80) NOT NULL,
    version INTEGER NOT NULL,
    site_code VARCHAR(2),                     -- none: every site
    device_id VARCHAR(100),                   -- none: every device of the site
    reason VARCHAR(1000) NOT NULL,
    activated_by VARCHAR(200) NOT NULL,
    activated_at TIMESTAMPTZ NOT NULL
);
CREATE TRIGGER sqal_recipe_activations_as_written BEFORE UPDATE OR DELETE OR TRUNCATE ON sqal_recipe_activations
    FOR EACH STATEMENT EXECUTE FUNCTION sqal_keep_as_written();

-- What each device shall be set to: the newest message of cfg/desired, whole. Its revision only ever rises.
CREATE TABLE sqal_device_twins (
    device_id VARCHAR(100) PRIMARY KEY,
    revision BIGINT NOT NULL CHECK (revision >= 1),
    desired JSONB NOT NULL,
    desired_by VARCHAR(200) NOT NULL,
    desired_at TIMESTAMPTZ NOT NULL
);

-- As the devices measured them. An id is used once by a device; samples name it.
CREATE TABLE sqal_calibrations (
    device_id VARCHAR(100) NOT NULL,
    calibration_id VARCHAR(100) NOT NULL,
    sensor VARCHAR(20) NOT NULL CHECK (sensor IN ('tof', 'spectral')),
    procedure VARCHAR(20) NOT NULL,
    measured_at TIMESTAMPTZ NOT NULL,
    valid_until TIMESTAMPTZ,
    calibration_values JSONB NOT NULL,
    based_on VARCHAR(100),
    drift JSONB NOT NULL DEFAULT '[]',
    conditions JSONB NOT NULL DEFAULT '{}',
    made_by VARCHAR(500),
    site_code VARCHAR(2),
    line VARCHAR(100),
    boot_id UUID NOT NULL,                    -- and number of the event that brought it
    seq BIGINT NOT NULL,
    ingested_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    PRIMARY KEY (device_id, calibration_id)
);
CREATE INDEX sqal_calibrations_by_time ON sqal_calibrations (device_id, sensor, measured_at DESC);
CREATE TRIGGER sqal_calibrations_as_written BEFORE UPDATE OR DELETE OR TRUNCATE ON sqal_calibrations
    FOR EACH STATEMENT EXECUTE FUNCTION sqal_keep_as_written();

-- Reference pieces of known values, and how often each device in their reach must measure one rightly.
CREATE TABLE sqal_references (
    reference_id VARCHAR(100) PRIMARY KEY,
    site_code VARCHAR(2),                     -- none: every site
    description VARCHAR(500) NOT NULL DEFAULT '',
    figures JSONB NOT NULL,                   -- by name: value and tolerance
    every_s DOUBLE PRECISION NOT NULL CHECK (every_s > 0),
    valid_until TIMESTAMPTZ NOT NULL,
    created_by VARCHAR(200) NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    retired_by VARCHAR(200),
    retired_at TIMESTAMPTZ
);

CREATE TABLE sqal_challenges (
    challenge_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id VARCHAR(100) NOT NULL,
    boot_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    reference_id VARCHAR(100) NOT NULL,
    taken_at TIMESTAMPTZ NOT NULL,
    passed BOOLEAN NOT NULL,
    readings INTEGER NOT NULL,
    lines JSONB NOT NULL,
    refused VARCHAR(500),
    made_by VARCHAR(500),
    request VARCHAR(100),
    calibration_tof VARCHAR(100),
    calibration_spectral VARCHAR(100),
    site_code VARCHAR(2),
    line VARCHAR(100),
    ingested_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    UNIQUE (device_id, boot_id, seq)
);
CREATE INDEX sqal_challenges_by_time ON sqal_challenges (taken_at DESC);
CREATE INDEX sqal_challenges_by_device ON sqal_challenges (device_id, reference_id, taken_at DESC);
CREATE TRIGGER sqal_challenges_as_written BEFORE UPDATE OR DELETE OR TRUNCATE ON sqal_challenges
    FOR EACH STATEMENT EXECUTE FUNCTION sqal_keep_as_written();

-- The customer's register of models, made one that can be trusted: which file, who answers for it, one in use at a time.
ALTER TABLE sqal_ml_models
    ADD COLUMN file_sha256 VARCHAR(64),
    ADD COLUMN file_bytes BIGINT,
    ADD COLUMN metrics JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN description VARCHAR(1000) NOT NULL DEFAULT '',
    ADD COLUMN registered_by VARCHAR(200),
    ADD COLUMN activated_by VARCHAR(200),
    ADD COLUMN activated_at TIMESTAMPTZ,
    ADD COLUMN retired_by VARCHAR(200),
    ADD COLUMN retired_at TIMESTAMPTZ;
CREATE UNIQUE INDEX sqal_ml_models_version ON sqal_ml_models (model_name, model_type, version);
CREATE UNIQUE INDEX sqal_ml_models_active ON sqal_ml_models (model_name, model_type) WHERE is_active;

-- What a second analysis of a sample needs beside the matrices, and what the first one found beyond the customer's columns.

ALTER TABLE sqal_sensor_samples
    ADD COLUMN vl53l8ch_sigma_matrix SMALLINT[8][8],   -- the chip's standard deviation of each distance, 1/128 mm
    ADD COLUMN as7341_clear_halves INTEGER[2],         -- Clear in the first and second half of the measurement
    ADD COLUMN details JSONB;                          -- tof and spectral: extents, anomalies, colour, pigments

CREATE OR REPLACE VIEW sqal_sensor_samples_json AS
SELECT time, sample_id, device_id, lot_id,
    to_jsonb(vl53l8ch_distance_matrix) AS vl53l8ch_distance_matrix,
    to_jsonb(vl53l8ch_reflectance_matrix) AS vl53l8ch_reflectance_matrix,
    to_jsonb(vl53l8ch_amplitude_matrix) AS vl53l8ch_amplitude_matrix,
    vl53l8ch_volume_mm3, vl53l8ch_surface_uniformity, vl53l8ch_quality_score, vl53l8ch_grade,
    jsonb_build_object(
        'F1_415nm', as7341_channels[1], 'F2_445nm', as7341_channels[2], 'F3_480nm', as7341_channels[3],
        'F4_515nm', as7341_channels[4], 'F5_555nm', as7341_channels[5], 'F6_590nm', as7341_channels[6],
        'F7_630nm', as7341_channels[7], 'F8_680nm', as7341_channels[8], 'Clear', as7341_channels[9],
        'NIR', as7341_channels[10]) AS as7341_channels,
    as7341_freshness_index, as7341_fat_quality_index, as7341_oxidation_index, as7341_quality_score,
    fusion_final_score, fusion_final_grade, fusion_is_compliant,
    site_code, line, ingested_at, boot_id, seq, piece_id, origin, hist, schema_version, clock_state, clock_error_ms,
    agent, recipe, calibration_tof, calibration_spectral, reasons, quality_flags,
    to_jsonb(vl53l8ch_status_matrix) AS vl53l8ch_status_matrix,
    to_jsonb(vl53l8ch_ambient_matrix) AS vl53l8ch_ambient_matrix,
    vl53l8ch_avg_distance_mm, vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance, vl53l8ch_volume_mm3_u,
    vl53l8ch_surface_uniformity_u, vl53l8ch_quality_score_u, vl53l8ch_mass_g, vl53l8ch_mass_g_u,
    vl53l8ch_belt_distance_mm, as7341_ratio_red_nir, as7341_ratio_clear_nir, as7341_freshness_index_u,
    as7341_fat_quality_index_u, as7341_oxidation_index_u, as7341_quality_score_u, as7341_gain, as7341_integration_ms,
    as7341_led_ma, fusion_weight_tof, fusion_weight_spectral, fusion_confidence_level, fusion_final_score_u,
    fusion_grade_probability, location, lot_abattage, eleveur, provenance, meta, cnh, firmware_version, temperature_c,
    humidity_pct,
    to_jsonb(vl53l8ch_sigma_matrix) AS vl53l8ch_sigma_matrix, as7341_clear_halves, details
FROM sqal_sensor_samples;

-- A figure of a sample by its short name, as charts and studies ask for it; NULL for a name that is none or a sample
-- that lacks it.
CREATE FUNCTION sqal_index_of(s sqal_sensor_samples, p_name TEXT) RETURNS DOUBLE PRECISION LANGUAGE SQL IMMUTABLE AS $$
    SELECT CASE p_name
        WHEN 'final_score' THEN s.fusion_final_score
        WHEN 'volume_mm3' THEN s.vl53l8ch_volume_mm3
        WHEN 'surface_uniformity' THEN s.vl53l8ch_surface_uniformity
        WHEN 'tof_score' THEN s.vl53l8ch_quality_score
        WHEN 'mass_g' THEN s.vl53l8ch_mass_g
        WHEN 'belt_distance_mm' THEN s.vl53l8ch_belt_distance_mm
        WHEN 'freshness_index' THEN s.as7341_freshness_index
        WHEN 'fat_quality_index' THEN s.as7341_fat_quality_index
        WHEN 'oxidation_index' THEN s.as7341_oxidation_index
        WHEN 'spectral_score' THEN s.as7341_quality_score
        ELSE COALESCE(s.details -> 'spectral' ->> p_name, s.details -> 'tof' ->> p_name)::FLOAT
    END::FLOAT
$$;

-- Devices that only measure: what their raw messages are analysed with, and when each of their starts was.

-- The newest calibration of a device is the one in use; older ones stay, samples cite them.
CREATE TABLE sqal_raw_calibrations (
    calibration_number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id VARCHAR(100) NOT NULL REFERENCES sqal_devices (device_id),
    content JSONB NOT NULL,                   -- as `sqal edge calibrate` keeps it in its file
    measured_at TIMESTAMPTZ NOT NULL,
    stored_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE INDEX sqal_raw_calibrations_by_device ON sqal_raw_calibrations (device_id, calibration_number DESC);

-- Wall time of the zero of a device's own clock, for each start of a device that does not know the time: what was
-- found at its first message holds for all of them, so that a message analysed again has the same time.
CREATE TABLE sqal_raw_boots (
    device_id VARCHAR(100) NOT NULL,
    boot_id UUID NOT NULL,
    zero_at TIMESTAMPTZ NOT NULL,
    noted_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    PRIMARY KEY (device_id, boot_id)
);

-- Days as people at a site count them: its time zone, its shifts, and figures by day that add up what hours hold.

CREATE TABLE sqal_sites (
    site_code VARCHAR(2) PRIMARY KEY,
    time_zone TEXT NOT NULL DEFAULT 'Europe/Paris'
        CONSTRAINT sqal_sites_zone_is_known CHECK (NOW() AT TIME ZONE time_zone IS NOT NULL)
);
INSERT INTO sqal_sites (site_code) SELECT code FROM sites_euralis ON CONFLICT DO NOTHING;

-- Shifts of a site in its local time; one that ends before it starts runs through midnight.
CREATE TABLE sqal_shifts (
    site_code VARCHAR(2) NOT NULL REFERENCES sqal_sites (site_code),
    name VARCHAR(50) NOT NULL,
    starts TIME NOT NULL,
    ends TIME NOT NULL,
    PRIMARY KEY (site_code, name),
    CHECK (starts <> ends)
);
INSERT INTO sqal_shifts (site_code, name, starts, ends)
SELECT site_code, name, starts, ends
FROM sqal_sites, (VALUES ('matin', TIME '05:00', TIME '13:00'), ('après-midi', TIME '13:00', TIME '21:00'),
    ('nuit', TIME '21:00', TIME '05:00')) AS usual (name, starts, ends);

-- Hours added up to days of UTC, by device.
CREATE VIEW sqal_daily_stats AS
SELECT date_trunc('day', bucket, 'UTC') AS bucket, device_id, site_code, line,
    SUM(sample_count)::BIGINT AS sample_count,
    SUM(sum_quality_score) / SUM(sample_count) AS avg_quality_score,
    SUM(count_a_plus)::BIGINT AS count_a_plus,
    SUM(count_a)::BIGINT AS count_a,
    SUM(count_b)::BIGINT AS count_b,
    SUM(count_c)::BIGINT AS count_c,
    SUM(count_reject)::BIGINT AS count_reject,
    SUM(count_compliant)::BIGINT AS count_compliant,
    SUM(count_compliant)::FLOAT / SUM(sample_count)::FLOAT * 100 AS compliance_rate_pct,
    SUM(sum_quality_score) AS sum_quality_score
FROM sqal_hourly_stats
GROUP BY 1, 2, 3, 4;

-- Hours added up to days as the site's clock counts them; exact in zones that are whole hours from UTC.
CREATE VIEW sqal_site_days AS
SELECT (h.bucket AT TIME ZONE COALESCE(z.time_zone, 'UTC'))::DATE AS day, h.site_code,
    SUM(h.sample_count)::BIGINT AS total_samples,
    SUM(h.sum_quality_score) / SUM(h.sample_count) AS avg_quality_score,
    SUM(h.count_compliant)::FLOAT / SUM(h.sample_count)::FLOAT * 100 AS compliance_rate_pct,
    SUM(h.count_reject)::BIGINT AS count_reject
FROM sqal_hourly_stats AS h LEFT JOIN sqal_sites AS z USING (site_code)
GROUP BY 1, 2;

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

-- Who may use the API: users, their sessions, tokens for programs, tickets for one WebSocket, and the record of what was
-- done and denied. Secrets are stored as digests only: SHA-256 of 256 random bits, argon2id of what people choose.

CREATE TABLE sqal_users (
    user_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name VARCHAR(100) NOT NULL UNIQUE,
    password_hash VARCHAR(300),               -- none: may enter by a login link only
    role VARCHAR(20) NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    sites TEXT[],                             -- none: every site
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

CREATE TABLE sqal_api_tokens (
    token_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    digest BYTEA NOT NULL UNIQUE,
    role VARCHAR(20) NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    sites TEXT[],
    scopes TEXT[] NOT NULL,                   -- read, write, ingest
    created_by VARCHAR(100) NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);

-- What a browser holds: a session (cookie), a login link (once), or a ticket (once, for one WebSocket).
CREATE TABLE sqal_passes (
    digest BYTEA PRIMARY KEY,
    kind VARCHAR(10) NOT NULL CHECK (kind IN ('session', 'link', 'ticket')),
    user_id BIGINT REFERENCES sqal_users ON DELETE CASCADE,
    token_id BIGINT REFERENCES sqal_api_tokens ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    expires_at TIMESTAMPTZ NOT NULL,
    CHECK (num_nonnulls(user_id, token_id) = 1)
);
CREATE INDEX sqal_passes_by_end ON sqal_passes (expires_at);
CREATE INDEX sqal_passes_by_user ON sqal_passes (user_id);

-- Failed logins by name, of users and of names that nobody has: each one doubles the wait for the next.
CREATE TABLE sqal_login_failures (
    name VARCHAR(100) PRIMARY KEY,
    failures INTEGER NOT NULL,
    next_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE sqal_audit (
    audit_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    actor VARCHAR(200) NOT NULL,              -- user:anne, token:mes, demo, nobody, cli
    outcome VARCHAR(10) NOT NULL CHECK (outcome IN ('done', 'denied')),
    action VARCHAR(20) NOT NULL,              -- the method of a request, or a word of the command line
    target VARCHAR(500) NOT NULL,             -- its path; never its query, which may hold a token
    status INTEGER,
    address VARCHAR(100),
    request_id VARCHAR(100),
    detail VARCHAR(1000)
);
CREATE INDEX sqal_audit_by_time ON sqal_audit (time DESC);

-- What Grafana and other table programs read: few columns, a `time` in each, no matrices. Names here are promised.

CREATE VIEW sqal_grafana_samples AS
SELECT time, site_code, line, device_id, lot_id, piece_id, fusion_final_score AS final_score,
    fusion_final_grade AS final_grade, fusion_is_compliant AS is_compliant, vl53l8ch_volume_mm3 AS volume_mm3,
    vl53l8ch_mass_g AS mass_g, vl53l8ch_surface_uniformity AS surface_uniformity,
    as7341_freshness_index AS freshness_index, as7341_fat_quality_index AS fat_quality_index,
    as7341_oxidation_index AS oxidation_index, hist AS is_late
FROM sqal_sensor_samples;

CREATE VIEW sqal_grafana_hours AS
SELECT bucket AS time, site_code, line, device_id, sample_count, count_compliant,
    count_a_plus, count_a, count_b, count_c, count_reject,
    sum_quality_score,                        -- to add up: an average of averages is none
    avg_quality_score, compliance_rate_pct, avg_volume_mm3, avg_freshness_index
FROM sqal_hourly_stats;

CREATE VIEW sqal_grafana_alerts AS
SELECT last_at AS time, first_at, site_code, line, device_id, lot_id, alert_type, severity, state, occurrences, message
FROM sqal_alert_state;

CREATE VIEW sqal_grafana_devices AS
SELECT last_seen AS time, site_code, line, device_id, device_name, status, agent,
    EXTRACT(EPOCH FROM NOW() - last_seen)::FLOAT AS silent_s
FROM sqal_devices;

-- The ledger: an append-only Merkle tree of what happened to lots and animals. Ingest only queues digests; one writer
-- puts them into the tree and signs checkpoints (docs/traceability.md).

-- What is hashed of a sample: every stored column in this order, in PostgreSQL's binary form (record_send): an i32 count,
-- then for each column the type's number, an i32 length (-1: null) and the value. Decimals are text, as they are stored.
-- Personal columns are apart: they may be erased, their salted commitment may not.
CREATE VIEW sqal_ledger_records AS
SELECT time, sample_id, device_id, lot_id, ingested_at,
    record_send(ROW(
        time, sample_id::TEXT, device_id::TEXT, lot_id, vl53l8ch_distance_matrix, vl53l8ch_reflectance_matrix,
        vl53l8ch_amplitude_matrix, vl53l8ch_volume_mm3::TEXT, vl53l8ch_surface_uniformity::TEXT,
        vl53l8ch_quality_score::TEXT, vl53l8ch_grade::TEXT, as7341_channels, as7341_freshness_index::TEXT,
        as7341_fat_quality_index::TEXT, as7341_oxidation_index::TEXT, as7341_quality_score::TEXT,
        fusion_final_score::TEXT, fusion_final_grade::TEXT, fusion_is_compliant, site_code::TEXT, line::TEXT,
        ingested_at, boot_id, seq, piece_id::TEXT, origin::TEXT, hist, schema_version, clock_state::TEXT,
        clock_error_ms, agent::TEXT, recipe::TEXT, calibration_tof::TEXT, calibration_spectral::TEXT, reasons,
        quality_flags, vl53l8ch_status_matrix, vl53l8ch_ambient_matrix, vl53l8ch_avg_distance_mm,
        vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance, vl53l8ch_volume_mm3_u, vl53l8ch_surface_uniformity_u,
        vl53l8ch_quality_score_u, vl53l8ch_mass_g, vl53l8ch_mass_g_u, vl53l8ch_belt_distance_mm,
        as7341_ratio_red_nir, as7341_ratio_clear_nir, as7341_freshness_index_u, as7341_fat_quality_index_u,
        as7341_oxidation_index_u, as7341_quality_score_u, as7341_gain, as7341_integration_ms, as7341_led_ma,
        fusion_weight_tof, fusion_weight_spectral, fusion_confidence_level, fusion_final_score_u,
        fusion_grade_probability, cnh, firmware_version::TEXT, temperature_c, humidity_pct
    )) AS record,
    CASE WHEN num_nonnulls(location, lot_abattage, eleveur, provenance, meta) > 0 THEN
        record_send(ROW(location::TEXT, lot_abattage::TEXT, eleveur::TEXT, provenance::TEXT, meta))
    END AS personal
FROM sqal_sensor_samples;

-- Salts of the commitments to personal columns; erasing one makes the commitment say nothing.
CREATE TABLE sqal_ledger_salts (
    time TIMESTAMPTZ NOT NULL,
    device_id VARCHAR(100) NOT NULL,
    sample_id VARCHAR(100) NOT NULL,
    salt BYTEA NOT NULL,
    PRIMARY KEY (time, sample_id, device_id)
);

-- Personal and free parts of events, with the salt of their commitment; a row may be deleted, and is then 'erased'.
CREATE TABLE sqal_ledger_private (
    reference UUID PRIMARY KEY,
    salt BYTEA NOT NULL,
    document TEXT NOT NULL                    -- canonical JSON; its very bytes are committed to
);

-- What waits for the writer; filled in the transaction that stores the fact.
CREATE TABLE sqal_ledger_queue (
    queue_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry BYTEA,                              -- an event, encoded; null: a sample
    time TIMESTAMPTZ,
    device_id VARCHAR(100),
    sample_id VARCHAR(100),
    lot_id INTEGER,
    digest BYTEA,
    commitment BYTEA
);

-- The leaves. lot_id and subject are there to find entries; the entry says them too.
CREATE TABLE sqal_ledger (
    leaf_index BIGINT PRIMARY KEY,
    entry BYTEA NOT NULL,
    leaf_hash BYTEA NOT NULL,
    lot_id INTEGER,
    subject VARCHAR(200)
);
CREATE INDEX sqal_ledger_by_lot ON sqal_ledger (lot_id, leaf_index) WHERE lot_id IS NOT NULL;
CREATE INDEX sqal_ledger_by_subject ON sqal_ledger (subject, leaf_index) WHERE subject IS NOT NULL;

-- Roots of full subtrees of 2^height leaves, height 8, 16 and 24: a proof reads a few hundred hashes at most.
CREATE TABLE sqal_ledger_nodes (
    height SMALLINT NOT NULL,
    node_index BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (height, node_index)
);

-- One signed checkpoint for a size, for ever; committed before anybody sees it.
CREATE TABLE sqal_ledger_checkpoints (
    size BIGINT PRIMARY KEY,
    root BYTEA NOT NULL,
    time TIMESTAMPTZ NOT NULL,
    note TEXT NOT NULL
);

CREATE FUNCTION sqal_ledger_refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME;
END
$$;
CREATE TRIGGER sqal_ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sqal_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION sqal_ledger_refuse();
CREATE TRIGGER sqal_ledger_nodes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sqal_ledger_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION sqal_ledger_refuse();
CREATE TRIGGER sqal_ledger_checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sqal_ledger_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION sqal_ledger_refuse();

-- Queue the digests of samples that the caller has just inserted, where they have a lot.
CREATE FUNCTION sqal_ledger_enqueue(p_times TIMESTAMPTZ[], p_sample_ids TEXT[]) RETURNS BIGINT LANGUAGE SQL AS $$
    WITH fresh AS MATERIALIZED (
        SELECT r.time, r.device_id, r.sample_id, r.lot_id, sha256(r.record) AS digest, r.personal,
            -- two version 4 UUIDs: 244 bits of the server's strong randomness
            CASE WHEN r.personal IS NOT NULL THEN uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) END AS salt
        FROM unnest(p_times, p_sample_ids) AS k (time, sample_id)
        JOIN sqal_ledger_records AS r ON r.time = k.time AND r.sample_id = k.sample_id
        WHERE r.lot_id IS NOT NULL
    ), salted AS (
        INSERT INTO sqal_ledger_salts (time, device_id, sample_id, salt)
        SELECT time, device_id, sample_id, salt FROM fresh WHERE salt IS NOT NULL
    ), queued AS (
        INSERT INTO sqal_ledger_queue (time, device_id, sample_id, lot_id, digest, commitment)
        SELECT time, device_id, sample_id, lot_id, digest, CASE WHEN salt IS NOT NULL THEN sha256(salt || personal) END
        FROM fresh ORDER BY time, device_id, sample_id
        RETURNING 1
    )
    SELECT count(*) FROM queued
$$;

-- What SQAL adds to lots of the customer's other system: nothing in their table, everything beside it.

-- Who decided what about a lot; the newest row says whether it is held. Persons and reasons are kept here only as long
-- as the row lives; the ledger has a salted commitment to them.
CREATE TABLE sqal_lot_decisions (
    decision_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lot_id INTEGER NOT NULL,
    decision VARCHAR(10) NOT NULL CHECK (decision IN ('hold', 'release')),
    reason VARCHAR(1000) NOT NULL,
    person VARCHAR(200) NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE INDEX sqal_lot_decisions_by_lot ON sqal_lot_decisions (lot_id, decision_id DESC);

-- Which lots a lot was made of.
CREATE TABLE sqal_lot_genealogy (
    parent_lot_id INTEGER NOT NULL,
    child_lot_id INTEGER NOT NULL,
    share DOUBLE PRECISION CHECK (share > 0 AND share <= 1),  -- of the parent that went into the child, where known
    noted_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    PRIMARY KEY (parent_lot_id, child_lot_id),
    CHECK (parent_lot_id <> child_lot_id)
);
CREATE INDEX sqal_lot_genealogy_by_child ON sqal_lot_genealogy (child_lot_id);

-- Whether the lots are ours to write: only a table that the first migration made is. It is marked by a comment, which
-- the customer's own table lacks; where the first migration made it before this one existed, its shape tells.
DO $$
BEGIN
    IF (SELECT array_agg(attname::TEXT ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = 'lots_gavage'::regclass AND attnum > 0 AND NOT attisdropped)
        = ARRAY['id', 'code_lot', 'site_code', 'gaveur_id', 'debut_lot', 'fin_lot', 'nb_canards', 'itm_moyen', 'statut']
    THEN
        COMMENT ON TABLE lots_gavage IS 'made by SQAL';
    END IF;
END
$$;

-- Record 2 of a sample: record 1 and, behind it, what migration 0011 added to samples. Entries made so far hold digests of
-- record 1 and stay as they are; which one an entry's digests are of is its first byte (contract/chain.py).

CREATE OR REPLACE VIEW sqal_ledger_records AS
SELECT time, sample_id, device_id, lot_id, ingested_at,
    record_send(ROW(
        time, sample_id::TEXT, device_id::TEXT, lot_id, vl53l8ch_distance_matrix, vl53l8ch_reflectance_matrix,
        vl53l8ch_amplitude_matrix, vl53l8ch_volume_mm3::TEXT, vl53l8ch_surface_uniformity::TEXT,
        vl53l8ch_quality_score::TEXT, vl53l8ch_grade::TEXT, as7341_channels, as7341_freshness_index::TEXT,
        as7341_fat_quality_index::TEXT, as7341_oxidation_index::TEXT, as7341_quality_score::TEXT,
        fusion_final_score::TEXT, fusion_final_grade::TEXT, fusion_is_compliant, site_code::TEXT, line::TEXT,
        ingested_at, boot_id, seq, piece_id::TEXT, origin::TEXT, hist, schema_version, clock_state::TEXT,
        clock_error_ms, agent::TEXT, recipe::TEXT, calibration_tof::TEXT, calibration_spectral::TEXT, reasons,
        quality_flags, vl53l8ch_status_matrix, vl53l8ch_ambient_matrix, vl53l8ch_avg_distance_mm,
        vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance, vl53l8ch_volume_mm3_u, vl53l8ch_surface_uniformity_u,
        vl53l8ch_quality_score_u, vl53l8ch_mass_g, vl53l8ch_mass_g_u, vl53l8ch_belt_distance_mm,
        as7341_ratio_red_nir, as7341_ratio_clear_nir, as7341_freshness_index_u, as7341_fat_quality_index_u,
        as7341_oxidation_index_u, as7341_quality_score_u, as7341_gain, as7341_integration_ms, as7341_led_ma,
        fusion_weight_tof, fusion_weight_spectral, fusion_confidence_level, fusion_final_score_u,
        fusion_grade_probability, cnh, firmware_version::TEXT, temperature_c, humidity_pct
    )) AS record,
    CASE WHEN num_nonnulls(location, lot_abattage, eleveur, provenance, meta) > 0 THEN
        record_send(ROW(location::TEXT, lot_abattage::TEXT, eleveur::TEXT, provenance::TEXT, meta))
    END AS personal,
    record_send(ROW(
        time, sample_id::TEXT, device_id::TEXT, lot_id, vl53l8ch_distance_matrix, vl53l8ch_reflectance_matrix,
        vl53l8ch_amplitude_matrix, vl53l8ch_volume_mm3::TEXT, vl53l8ch_surface_uniformity::TEXT,
        vl53l8ch_quality_score::TEXT, vl53l8ch_grade::TEXT, as7341_channels, as7341_freshness_index::TEXT,
        as7341_fat_quality_index::TEXT, as7341_oxidation_index::TEXT, as7341_quality_score::TEXT,
        fusion_final_score::TEXT, fusion_final_grade::TEXT, fusion_is_compliant, site_code::TEXT, line::TEXT,
        ingested_at, boot_id, seq, piece_id::TEXT, origin::TEXT, hist, schema_version, clock_state::TEXT,
        clock_error_ms, agent::TEXT, recipe::TEXT, calibration_tof::TEXT, calibration_spectral::TEXT, reasons,
        quality_flags, vl53l8ch_status_matrix, vl53l8ch_ambient_matrix, vl53l8ch_avg_distance_mm,
        vl53l8ch_std_distance_mm, vl53l8ch_avg_reflectance, vl53l8ch_volume_mm3_u, vl53l8ch_surface_uniformity_u,
        vl53l8ch_quality_score_u, vl53l8ch_mass_g, vl53l8ch_mass_g_u, vl53l8ch_belt_distance_mm,
        as7341_ratio_red_nir, as7341_ratio_clear_nir, as7341_freshness_index_u, as7341_fat_quality_index_u,
        as7341_oxidation_index_u, as7341_quality_score_u, as7341_gain, as7341_integration_ms, as7341_led_ma,
        fusion_weight_tof, fusion_weight_spectral, fusion_confidence_level, fusion_final_score_u,
        fusion_grade_probability, cnh, firmware_version::TEXT, temperature_c, humidity_pct,
        vl53l8ch_sigma_matrix, as7341_clear_halves, details
    )) AS record_2
FROM sqal_sensor_samples;

ALTER TABLE sqal_ledger_queue ADD COLUMN record_version SMALLINT NOT NULL DEFAULT 1;

-- Queue the digests of samples that the caller has just inserted, where they have a lot.
CREATE OR REPLACE FUNCTION sqal_ledger_enqueue(p_times TIMESTAMPTZ[], p_sample_ids TEXT[]) RETURNS BIGINT LANGUAGE SQL AS $$
    WITH fresh AS MATERIALIZED (
        SELECT r.time, r.device_id, r.sample_id, r.lot_id, sha256(r.record_2) AS digest, r.personal,
            -- two version 4 UUIDs: 244 bits of the server's strong randomness
            CASE WHEN r.personal IS NOT NULL THEN uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) END AS salt
        FROM unnest(p_times, p_sample_ids) AS k (time, sample_id)
        JOIN sqal_ledger_records AS r ON r.time = k.time AND r.sample_id = k.sample_id
        WHERE r.lot_id IS NOT NULL
    ), salted AS (
        INSERT INTO sqal_ledger_salts (time, device_id, sample_id, salt)
        SELECT time, device_id, sample_id, salt FROM fresh WHERE salt IS NOT NULL
    ), queued AS (
        INSERT INTO sqal_ledger_queue (time, device_id, sample_id, lot_id, digest, commitment, record_version)
        SELECT time, device_id, sample_id, lot_id, digest, CASE WHEN salt IS NOT NULL THEN sha256(salt || personal) END, 2
        FROM fresh ORDER BY time, device_id, sample_id
        RETURNING 1
    )
    SELECT count(*) FROM queued
$$;

CREATE TABLE IF NOT EXISTS sqal_migrations (
    version INTEGER PRIMARY KEY,
    name VARCHAR(200) NOT NULL,
    variant VARCHAR(20) NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO sqal_migrations (version, name, variant, checksum) VALUES
    (1, 'neighbours', 'core', '091e8df179f7c4a5fcc9f65387ad4fc1e037b6b7541b6ed9cb1d35e85e4e72d4'),
    (2, 'tables', 'core', 'c4e2986b86bcf996cf8b29f64c7c7af58ee83d94766538e79c92fe7952190b7c'),
    (3, 'statistics', 'core', '5ca42b3e1b880b857efbe578b1ad432d177e8c358885316db6da577980c55058'),
    (4, 'functions', 'core', '3aaf6caf213604f66a8e410d30919a554a8212ae167c48287d41510c24c4d9d7'),
    (5, 'initial_devices', 'core', '6bd8931fff928ca0e17298cebf0ffd0b1cee1a6303094e585061a93e7015f0ac'),
    (6, 'stats_period', 'core', '45f46a88ea26073defe4d36e5b8dc3191903777a473218e31e95462daf2a6918'),
    (7, 'sample_by_id', 'core', '8f97dff1f6a7026f4e9218d2c786ca887f1243d43867dae01cc10efd886c6f13'),
    (10, 'science', 'core', '65f11ad80f0eec9fd63bec296ccec95bdad9ef5e0c876dab72a8156a8a0767a7'),
    (11, 'sample_details', 'core', '1eded399ee5fd675ed7954b18ccd65e95b9a59857434ce846d5a3a5bba9d7a13'),
    (12, 'index_of', 'core', '90d303c10c3655e29e060eebcabf5d3ddeaab0d073a74c7d75e6b4e6c08a346e'),
    (20, 'raw', 'core', '008a6031e1f22258ff32073dd5eb66ef2a8233c355b1d88e084c5a86a9eb3d89'),
    (30, 'sites_and_days', 'core', '56adff41ad0223f0aebc8d1e4e8b513b922ae8dc47dbb40ef14d75d6efe79746'),
    (31, 'alert_life', 'core', '1d7863986c9928529f171e0ba944ed6e0f9018ced321832e0b3d0138331f0a09'),
    (40, 'access', 'core', '84587b826fd82da1e326d59a90b171c744e904cad4cfd16944dcf189c33f359f'),
    (41, 'grafana', 'core', 'd58e5fb67c62d1ab1087c2be1fdf6beae4ba82c5d086c36fa36a842c76e15459'),
    (50, 'ledger', 'core', '5a3eec858d9114e120e605ac67e221aa48b2ea0e31e5e811578c1a638f582d93'),
    (51, 'lots', 'core', '5a7769f3a562cb5a35f9dd62d61a518be9738630177c46596acb5ba914a0a1de'),
    (52, 'ledger_record', 'core', 'bd7bf82273ad7f57c044094e463268ee34cc0764de7b285b3311656eaba97a3f');

COMMIT;
