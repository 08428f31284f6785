-- A sample is looked up by its id alone: the page, a certificate and a dead letter name nothing else.

CREATE INDEX sqal_sensor_samples_by_id ON sqal_sensor_samples (sample_id, time DESC);
