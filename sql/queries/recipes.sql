-- Recipes, which of them is to be used where, and the device twins that carry them.

-- name: recipes
-- Every stored version, the newest of each name first.
SELECT name, version, comment, created_by, created_at FROM sqal_recipes ORDER BY name, version DESC LIMIT 2000;

-- name: recipe
-- One version, whole.
SELECT name, version, recipe_values, comment, created_by, created_at FROM sqal_recipes
WHERE name = %(name)s AND version = %(version)s;

-- name: recipe_lock
-- One new version at a time.
SELECT pg_advisory_xact_lock(5461333);

-- name: recipe_latest
-- The highest version of a name.
SELECT MAX(version) AS version FROM sqal_recipes WHERE name = %(name)s;

-- name: recipe_add
-- A new version; none is ever changed.
INSERT INTO sqal_recipes (name, version, recipe_values, comment, created_by, created_at)
VALUES (%(name)s, %(version)s, %(values)s, %(comment)s, %(by)s, %(now)s);

-- name: recipe_activate
-- From now on this recipe is to be used.
INSERT INTO sqal_recipe_activations (name, version, site_code, device_id, reason, activated_by, activated_at)
VALUES (%(name)s, %(version)s, %(site_code)s, %(device_id)s, %(reason)s, %(by)s, %(now)s) RETURNING activation_id;

-- name: recipe_activations
-- Who activated what, the newest first. For a caller of some sites: what reaches them.
SELECT activation_id, name, version, site_code, device_id, reason, activated_by, activated_at
FROM sqal_recipe_activations
WHERE (%(sites)s::TEXT[] IS NULL OR site_code IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
    AND (%(before)s::BIGINT IS NULL OR activation_id < %(before)s)
ORDER BY activation_id DESC LIMIT %(limit)s;

-- name: recipe_in_use
-- For each device: the recipe it is to use, since when, and the one that its newest sample names.
SELECT d.device_id, d.site_code, d.line, a.name, a.version, a.activation_id, a.activated_at, a.activated_by,
    t.revision, s.recipe AS measured_with, s.time AS measured_at
FROM sqal_devices AS d
LEFT JOIN LATERAL (
    SELECT * FROM sqal_recipe_activations AS a
    WHERE (a.site_code IS NULL OR a.site_code = d.site_code) AND (a.device_id IS NULL OR a.device_id = d.device_id)
    ORDER BY a.activation_id DESC LIMIT 1
) AS a ON TRUE
LEFT JOIN sqal_device_twins AS t ON t.device_id = d.device_id
LEFT JOIN LATERAL (
    SELECT recipe, time FROM sqal_sensor_samples AS s WHERE s.device_id = d.device_id ORDER BY time DESC LIMIT 1
) AS s ON TRUE
WHERE %(sites)s::TEXT[] IS NULL OR d.site_code = ANY (%(sites)s::TEXT[])
ORDER BY d.device_id;

-- name: twin_devices
-- The devices that an activation concerns.
SELECT device_id, site_code, line FROM sqal_devices
WHERE site_code IS NOT NULL AND (%(site_code)s::TEXT IS NULL OR site_code = %(site_code)s)
    AND (%(device_id)s::TEXT IS NULL OR device_id = %(device_id)s)
ORDER BY device_id;

-- name: twin_desire
-- Add to what a device shall be set to. A device counts revisions up itself where somebody on the spot sets it, so ours
-- jump to the present millisecond: a later wish of ours is always a higher number.
INSERT INTO sqal_device_twins AS t (device_id, revision, desired, desired_by, desired_at)
VALUES (%(device_id)s, %(revision)s, %(changes)s, %(by)s, %(now)s)
ON CONFLICT (device_id) DO UPDATE SET
    revision = GREATEST(t.revision + 1, EXCLUDED.revision), desired = t.desired || EXCLUDED.desired,
    desired_by = EXCLUDED.desired_by, desired_at = EXCLUDED.desired_at
RETURNING revision, desired;

-- name: select_recipes_in_use
-- What was activated last for each scope (everywhere, a site, a device), with the values where they are stored.
SELECT a.activation_id, a.site_code, a.device_id, a.name, a.version, r.recipe_values::TEXT
FROM (
    SELECT DISTINCT ON (site_code, device_id) activation_id, site_code, device_id, name, version
    FROM sqal_recipe_activations ORDER BY site_code, device_id, activation_id DESC
) AS a
LEFT JOIN sqal_recipes AS r ON r.name = a.name AND r.version = a.version;

-- name: twin_of
-- What a device shall be set to, and who said so; nothing where nobody ever did.
SELECT revision, desired, desired_by, desired_at FROM sqal_device_twins WHERE device_id = %(device_id)s;
