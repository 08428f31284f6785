-- Figures in the order of time, for control charts and studies.

-- name: spc_values
-- The newest values of an index in a period, one for each piece (the mean of its measurements) or sample, oldest first.
WITH pieces AS (
    SELECT MIN(s.time) AS time, AVG(sqal_index_of(s, %(index)s)) AS value, MIN(s.sample_id) AS sample_id
    FROM sqal_sensor_samples AS s
    WHERE s.time >= %(start)s AND s.time < %(end)s AND (%(device_id)s::TEXT IS NULL OR s.device_id = %(device_id)s)
        AND (%(sites)s::TEXT[] IS NULL OR s.site_code = ANY (%(sites)s::TEXT[]))
        AND (%(lot_id)s::INTEGER IS NULL OR s.lot_id = %(lot_id)s)
        AND sqal_index_of(s, %(index)s) IS NOT NULL
    GROUP BY s.device_id, CASE WHEN %(by_piece)s::BOOLEAN AND s.piece_id IS NOT NULL THEN s.piece_id ELSE s.sample_id END
)
SELECT * FROM (SELECT time, value, sample_id FROM pieces ORDER BY time DESC, sample_id DESC LIMIT %(limit)s) AS newest
ORDER BY time, sample_id;

-- name: spc_count
-- How many samples of a period have an index.
SELECT COUNT(*) AS total FROM sqal_sensor_samples AS s
WHERE s.time >= %(start)s AND s.time < %(end)s AND (%(device_id)s::TEXT IS NULL OR s.device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR s.site_code = ANY (%(sites)s::TEXT[]))
    AND (%(lot_id)s::INTEGER IS NULL OR s.lot_id = %(lot_id)s) AND sqal_index_of(s, %(index)s) IS NOT NULL;

-- name: spc_buckets
-- An index averaged over spans of equal length: what a long period looks like from afar.
SELECT date_bin(make_interval(secs => %(bucket_s)s), s.time, %(start)s::TIMESTAMPTZ) AS time,
    AVG(sqal_index_of(s, %(index)s)) AS value, COUNT(*) AS n
FROM sqal_sensor_samples AS s
WHERE s.time >= %(start)s AND s.time < %(end)s AND (%(device_id)s::TEXT IS NULL OR s.device_id = %(device_id)s)
    AND (%(sites)s::TEXT[] IS NULL OR s.site_code = ANY (%(sites)s::TEXT[]))
    AND (%(lot_id)s::INTEGER IS NULL OR s.lot_id = %(lot_id)s) AND sqal_index_of(s, %(index)s) IS NOT NULL
GROUP BY 1 ORDER BY 1;

-- name: spc_of_samples
-- An index of some samples by their ids, within the caller's sites.
SELECT s.sample_id, sqal_index_of(s, %(index)s) AS value FROM sqal_sensor_samples AS s
WHERE s.sample_id = ANY (%(sample_ids)s::TEXT[])
    AND (%(sites)s::TEXT[] IS NULL OR s.site_code = ANY (%(sites)s::TEXT[]));
