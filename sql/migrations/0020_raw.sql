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
