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
