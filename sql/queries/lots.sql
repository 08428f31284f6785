-- Lots: decisions, genealogy, import, and the views of the customer's other systems.

-- name: lot_is_ours
-- Whether SQAL made the table of lots, and so may write it.
SELECT COALESCE(obj_description('lots_gavage'::regclass, 'pg_class') = 'made by SQAL', FALSE) AS is_ours;

-- name: lot_upsert
-- A lot by its code: made, or brought up to date with what is given. Only on our own table.
INSERT INTO lots_gavage (code_lot, site_code, gaveur_id, debut_lot, fin_lot, nb_canards, itm_moyen, statut)
VALUES (%(code_lot)s, %(site_code)s, %(gaveur_id)s, %(debut_lot)s, %(fin_lot)s, %(nb_canards)s, %(itm)s,
    COALESCE(%(statut)s, 'en_cours'))
ON CONFLICT (code_lot) DO UPDATE SET
    site_code = COALESCE(EXCLUDED.site_code, lots_gavage.site_code),
    gaveur_id = COALESCE(EXCLUDED.gaveur_id, lots_gavage.gaveur_id),
    debut_lot = EXCLUDED.debut_lot,
    fin_lot = COALESCE(EXCLUDED.fin_lot, lots_gavage.fin_lot),
    nb_canards = COALESCE(EXCLUDED.nb_canards, lots_gavage.nb_canards),
    itm_moyen = COALESCE(EXCLUDED.itm_moyen, lots_gavage.itm_moyen),
    statut = COALESCE(%(statut)s, lots_gavage.statut)
RETURNING id, (xmax = 0) AS is_new;

-- name: lot_site
-- Where a lot stands: the site of its row, without one that of its samples where they agree.
SELECT COALESCE((SELECT site_code FROM lots_gavage WHERE id = %(lot_id)s),
    (SELECT CASE WHEN MIN(site_code) = MAX(site_code) THEN MIN(site_code) END
        FROM sqal_sensor_samples WHERE lot_id = %(lot_id)s)) AS site_code;

-- name: lot_sites_by_code
-- Where the lots with some codes stand.
SELECT code_lot, site_code FROM lots_gavage WHERE code_lot = ANY (%(codes)s::TEXT[]);

-- name: lot_decide
-- Hold or release a lot.
INSERT INTO sqal_lot_decisions (lot_id, decision, reason, person, decided_at)
VALUES (%(lot_id)s, %(decision)s, %(reason)s, %(person)s, %(now)s) RETURNING decision_id;

-- name: lot_lock
-- One decision about a lot at a time.
SELECT pg_advisory_xact_lock(5461332, %(lot_id)s::INTEGER);

-- name: lot_decisions
-- Decisions about a lot, the newest first.
SELECT decision, reason, person, decided_at FROM sqal_lot_decisions
WHERE lot_id = %(lot_id)s ORDER BY decision_id DESC LIMIT 200;

-- name: lot_note_parent
-- A lot went into another.
INSERT INTO sqal_lot_genealogy (parent_lot_id, child_lot_id, share) VALUES (%(parent)s, %(child)s, %(share)s)
ON CONFLICT (parent_lot_id, child_lot_id) DO UPDATE SET share = EXCLUDED.share;

-- name: lot_ancestors
-- Every lot that went into a lot, directly or not, with the number of steps between them.
WITH RECURSIVE up AS (
    SELECT parent_lot_id AS lot_id, child_lot_id AS into_lot_id, share, 1 AS steps
    FROM sqal_lot_genealogy WHERE child_lot_id = %(lot_id)s
    UNION
    SELECT g.parent_lot_id, g.child_lot_id, g.share, up.steps + 1
    FROM sqal_lot_genealogy AS g JOIN up ON g.child_lot_id = up.lot_id WHERE up.steps < 20
)
SELECT up.lot_id, up.into_lot_id, up.share, up.steps, to_jsonb(l) ->> 'code_lot' AS code_lot
FROM up LEFT JOIN lots_gavage AS l ON l.id = up.lot_id
WHERE %(sites)s::TEXT[] IS NULL OR l.site_code = ANY (%(sites)s::TEXT[])
ORDER BY up.steps, up.lot_id LIMIT 1000;

-- name: lot_descendants
-- Every lot that a lot went into, directly or not.
WITH RECURSIVE down AS (
    SELECT child_lot_id AS lot_id, parent_lot_id AS from_lot_id, share, 1 AS steps
    FROM sqal_lot_genealogy WHERE parent_lot_id = %(lot_id)s
    UNION
    SELECT g.child_lot_id, g.parent_lot_id, g.share, down.steps + 1
    FROM sqal_lot_genealogy AS g JOIN down ON g.parent_lot_id = down.lot_id WHERE down.steps < 20
)
SELECT down.lot_id, down.from_lot_id, down.share, down.steps, to_jsonb(l) ->> 'code_lot' AS code_lot
FROM down LEFT JOIN lots_gavage AS l ON l.id = down.lot_id
WHERE %(sites)s::TEXT[] IS NULL OR l.site_code = ANY (%(sites)s::TEXT[])
ORDER BY down.steps, down.lot_id LIMIT 1000;

-- name: lot_pieces
-- All samples of a lot in few columns, the oldest first, for its report.
SELECT time, sample_id, device_id, piece_id, fusion_final_score, fusion_final_score_u, fusion_final_grade,
    fusion_is_compliant, vl53l8ch_volume_mm3, vl53l8ch_mass_g, as7341_freshness_index, as7341_oxidation_index,
    recipe, calibration_tof, calibration_spectral, quality_flags
FROM sqal_sensor_samples WHERE lot_id = %(lot_id)s ORDER BY time, sample_id LIMIT %(limit)s;

-- name: lot_pieces_page
-- A page of the pieces of a lot in few columns, the newest first, of one grade where asked.
SELECT time, sample_id, device_id, piece_id, fusion_final_score, fusion_final_score_u, fusion_final_grade,
    vl53l8ch_mass_g, as7341_freshness_index, as7341_oxidation_index
FROM sqal_sensor_samples
WHERE lot_id = %(lot_id)s AND (%(grade)s::TEXT IS NULL OR fusion_final_grade = %(grade)s)
    AND (%(time)s::TIMESTAMPTZ IS NULL OR (time, sample_id) < (%(time)s, %(sample_id)s::TEXT))
ORDER BY time DESC, sample_id DESC LIMIT %(limit)s;

-- name: euralis_sites
-- Sites with their devices, lots and the quality of a period.
SELECT to_jsonb(s) AS site, s.code,
    (SELECT COUNT(*) FROM sqal_devices AS d WHERE d.site_code = s.code) AS devices,
    (SELECT COUNT(*) FROM lots_gavage AS l WHERE l.site_code = s.code) AS lots,
    q.total_samples, q.avg_quality_score, q.compliance_rate_pct
FROM sites_euralis AS s
CROSS JOIN LATERAL get_sqal_stats_period(%(start)s, %(end)s, s.code) AS q
WHERE %(sites)s::TEXT[] IS NULL OR s.code = ANY (%(sites)s::TEXT[])
ORDER BY s.code;

-- name: euralis_lots
-- The correlation of ITM and quality, lot by lot, as the mission has it: lots with more than `samples_min` samples.
SELECT l.id AS lot_id, l.code_lot, l.site_code, (to_jsonb(l) ->> %(itm_column)s)::FLOAT AS itm,
    to_jsonb(l) ->> 'statut' AS statut, q.avg_quality_score, q.nb_samples, q.compliance_rate_pct
FROM lots_gavage AS l
CROSS JOIN LATERAL (
    SELECT AVG(s.fusion_final_score) AS avg_quality_score, COUNT(s.time) AS nb_samples,
        COUNT(*) FILTER (WHERE s.fusion_is_compliant)::FLOAT / NULLIF(COUNT(s.time), 0) * 100 AS compliance_rate_pct
    FROM sqal_sensor_samples AS s WHERE s.lot_id = l.id
) AS q
WHERE (%(sites)s::TEXT[] IS NULL OR l.site_code = ANY (%(sites)s::TEXT[])) AND q.nb_samples > %(samples_min)s
ORDER BY itm DESC NULLS LAST, l.id LIMIT %(limit)s;

-- name: euralis_alerts
-- Alerts that are not cleared, the newest first.
SELECT alarm_id, device_id, site_code, lot_id, alert_type, severity, state, occurrences, first_at, last_at, message
FROM sqal_alert_state
WHERE state <> 'cleared' AND (%(sites)s::TEXT[] IS NULL OR site_code = ANY (%(sites)s::TEXT[]))
ORDER BY last_at DESC LIMIT %(limit)s;
