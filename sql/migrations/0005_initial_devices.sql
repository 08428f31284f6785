-- The customer's three devices, one per site; only where their sites exist.

INSERT INTO sqal_devices (device_id, device_name, firmware_version, site_code, status, config_profile, created_at)
SELECT d.* FROM (VALUES
    ('ESP32_LL_01', 'Capteur Site Bretagne (LL)', 'v1.2.3', 'LL', 'active', 'standard', NOW()),
    ('ESP32_LS_01', 'Capteur Site Pays de Loire (LS)', 'v1.2.3', 'LS', 'active', 'standard', NOW()),
    ('ESP32_MT_01', 'Capteur Site Maubourguet (MT)', 'v1.2.3', 'MT', 'active', 'standard', NOW())
) AS d (device_id, device_name, firmware_version, site_code, status, config_profile, created_at)
WHERE EXISTS (SELECT FROM sites_euralis s WHERE s.code = d.site_code)
ON CONFLICT (device_id) DO NOTHING;
