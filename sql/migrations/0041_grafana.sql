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
