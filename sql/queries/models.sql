-- The register of models.

-- name: models
-- All models, those in use first.
SELECT model_id, model_name, model_type, version, framework, file_path, file_sha256, file_bytes, accuracy, precision,
    recall, f1_score, metrics, hyperparameters, feature_importance, description, training_date, is_active, created_at,
    registered_by, activated_by, activated_at, retired_by, retired_at
FROM sqal_ml_models
WHERE %(model_id)s::INTEGER IS NULL OR model_id = %(model_id)s
ORDER BY is_active DESC NULLS LAST, retired_at IS NOT NULL, model_name, model_type, model_id DESC LIMIT 1000;

-- name: model_add
-- A model, not in use; its name, kind and version together are used once.
INSERT INTO sqal_ml_models (model_name, model_type, version, framework, file_path, file_sha256, file_bytes, accuracy,
    precision, recall, f1_score, metrics, hyperparameters, description, training_date, is_active, registered_by,
    created_at)
VALUES (%(model_name)s, %(model_type)s, %(version)s, %(framework)s, %(file_path)s, %(file_sha256)s, %(file_bytes)s,
    %(accuracy)s, %(precision)s, %(recall)s, %(f1_score)s, %(metrics)s, %(hyperparameters)s, %(description)s,
    %(training_date)s, FALSE, %(by)s, %(now)s)
ON CONFLICT (model_name, model_type, version) DO NOTHING RETURNING model_id;

-- name: model_lock
-- One change of what is in use at a time.
SELECT pg_advisory_xact_lock(5461334);

-- name: model_stand_down
-- What was in use under the name and kind of a model is not any more.
UPDATE sqal_ml_models AS m SET is_active = FALSE
FROM sqal_ml_models AS wanted
WHERE wanted.model_id = %(model_id)s AND m.model_name = wanted.model_name AND m.model_type = wanted.model_type
    AND m.is_active AND m.model_id <> wanted.model_id;

-- name: model_activate
-- A model is in use; a retired one never again.
UPDATE sqal_ml_models SET is_active = TRUE, activated_by = %(by)s, activated_at = %(now)s
WHERE model_id = %(model_id)s AND retired_at IS NULL RETURNING model_id;

-- name: model_retire
-- A model is not to be used any more.
UPDATE sqal_ml_models SET is_active = FALSE, retired_by = COALESCE(retired_by, %(by)s),
    retired_at = COALESCE(retired_at, %(now)s)
WHERE model_id = %(model_id)s RETURNING model_id;
