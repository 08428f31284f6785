-- Users, sessions, tokens, tickets and the audit record of the API.

-- name: access_of_token
-- Who a token is, while it is valid.
SELECT 'token:' || name AS name, role, sites, scopes, token_id, NULL::BIGINT AS user_id, expires_at
FROM sqal_api_tokens WHERE digest = %(digest)s AND revoked_at IS NULL AND expires_at > NOW();

-- name: access_of_session
-- Who a session is, while it is valid.
SELECT 'user:' || u.name AS name, u.role, u.sites, NULL::TEXT[] AS scopes, NULL::BIGINT AS token_id, u.user_id,
    p.expires_at
FROM sqal_passes p JOIN sqal_users u USING (user_id)
WHERE p.digest = %(digest)s AND p.kind = 'session' AND p.expires_at > NOW() AND u.is_active;

-- name: access_of_ticket
-- Whose ticket it was; it is gone with this. The connection it opens is checked as its owner afterwards.
WITH used AS (
    DELETE FROM sqal_passes WHERE digest = %(digest)s AND kind = 'ticket' RETURNING user_id, token_id, expires_at
)
SELECT owner.* FROM used p, LATERAL (
    SELECT 'user:' || u.name AS name, u.role, u.sites, NULL::TEXT[] AS scopes, NULL::BIGINT AS token_id, u.user_id,
        NULL::TIMESTAMPTZ AS expires_at
    FROM sqal_users u WHERE u.user_id = p.user_id AND u.is_active
    UNION ALL
    SELECT 'token:' || t.name, t.role, t.sites, t.scopes, t.token_id, NULL, t.expires_at
    FROM sqal_api_tokens t WHERE t.token_id = p.token_id AND t.revoked_at IS NULL AND t.expires_at > NOW()
) AS owner
WHERE p.expires_at > NOW();

-- name: access_of_owner
-- The user or token that a ticket belonged to, as it stands now.
SELECT 'user:' || u.name AS name, u.role, u.sites, NULL::TEXT[] AS scopes, NULL::BIGINT AS token_id, u.user_id,
    NULL::TIMESTAMPTZ AS expires_at
FROM sqal_users u WHERE u.user_id = %(user_id)s AND u.is_active
UNION ALL
SELECT 'token:' || t.name, t.role, t.sites, t.scopes, t.token_id, NULL, t.expires_at
FROM sqal_api_tokens t WHERE t.token_id = %(token_id)s AND t.revoked_at IS NULL AND t.expires_at > NOW();

-- name: use_login_link
-- Whose login link it was; it is gone with this.
WITH used AS (
    DELETE FROM sqal_passes WHERE digest = %(digest)s AND kind = 'link' RETURNING user_id, expires_at
)
SELECT u.user_id, u.name FROM used JOIN sqal_users u USING (user_id) WHERE used.expires_at > NOW() AND u.is_active;

-- name: insert_pass
-- A session, login link or ticket; those that have ended go.
WITH ended AS (DELETE FROM sqal_passes WHERE expires_at < NOW() - INTERVAL '1 day')
INSERT INTO sqal_passes (digest, kind, user_id, token_id, expires_at)
VALUES (%(digest)s, %(kind)s, %(user_id)s, %(token_id)s, NOW() + make_interval(secs => %(lasts_s)s));

-- name: delete_pass
-- End a session.
DELETE FROM sqal_passes WHERE digest = %(digest)s;

-- name: select_user
-- A user by name, with what a login needs.
SELECT user_id, name, password_hash, role, sites, is_active, created_at FROM sqal_users WHERE name = %(name)s;

-- name: list_users
-- All users, without their secrets.
SELECT user_id, name, role, sites, is_active, password_hash IS NOT NULL AS has_password, created_at
FROM sqal_users ORDER BY name;

-- name: insert_user
-- A new user.
INSERT INTO sqal_users (name, password_hash, role, sites)
VALUES (%(name)s, %(password_hash)s, %(role)s, %(sites)s) ON CONFLICT (name) DO NOTHING
RETURNING user_id, name, role, sites, is_active, password_hash IS NOT NULL AS has_password, created_at;

-- name: update_user
-- Change a user; what is not given stays. `all_sites` lifts the limit to some.
UPDATE sqal_users SET
    password_hash = COALESCE(%(password_hash)s::TEXT, password_hash),
    role = COALESCE(%(role)s::TEXT, role),
    sites = CASE WHEN %(all_sites)s::BOOLEAN THEN NULL ELSE COALESCE(%(sites)s::TEXT[], sites) END,
    is_active = COALESCE(%(is_active)s::BOOLEAN, is_active)
WHERE name = %(name)s
RETURNING user_id, name, role, sites, is_active, password_hash IS NOT NULL AS has_password, created_at;

-- name: end_sessions
-- End whatever a user's browsers hold.
DELETE FROM sqal_passes WHERE user_id = %(user_id)s;

-- name: list_tokens
-- All tokens, without their secrets.
SELECT token_id, name, role, sites, scopes, created_by, created_at, expires_at, revoked_at
FROM sqal_api_tokens ORDER BY token_id;

-- name: insert_token
-- A new token.
INSERT INTO sqal_api_tokens (name, digest, role, sites, scopes, created_by, expires_at)
VALUES (%(name)s, %(digest)s, %(role)s, %(sites)s, %(scopes)s, %(created_by)s,
    NOW() + make_interval(secs => %(lasts_s)s))
RETURNING token_id, name, role, sites, scopes, created_by, created_at, expires_at, revoked_at;

-- name: revoke_token
-- End a token for good.
UPDATE sqal_api_tokens SET revoked_at = COALESCE(revoked_at, NOW()) WHERE token_id = %(token_id)s
RETURNING token_id, name, role, sites, scopes, created_by, created_at, expires_at, revoked_at;

-- name: login_wait
-- Seconds until a name may try again.
SELECT GREATEST(0, EXTRACT(EPOCH FROM next_at - NOW()))::FLOAT AS wait_s FROM sqal_login_failures WHERE name = %(name)s;

-- name: login_failed
-- Count a failure: 1, 2, 4 … seconds of waiting, a minute at most. Names untouched for a day are forgotten.
WITH old AS (DELETE FROM sqal_login_failures WHERE next_at < NOW() - INTERVAL '1 day' AND name <> %(name)s)
INSERT INTO sqal_login_failures AS f (name, failures, next_at) VALUES (%(name)s, 1, NOW() + INTERVAL '1 second')
ON CONFLICT (name) DO UPDATE SET failures = LEAST(f.failures + 1, 30),
    next_at = NOW() + make_interval(secs => LEAST(60, 2 ^ LEAST(f.failures, 6)));

-- name: login_succeeded
-- Forget the failures of a name.
DELETE FROM sqal_login_failures WHERE name = %(name)s;

-- name: insert_audit
-- Put on record what was done or denied.
INSERT INTO sqal_audit (actor, outcome, action, target, status, address, request_id, detail)
VALUES (%(actor)s, %(outcome)s, %(action)s, %(target)s, %(status)s, %(address)s, %(request_id)s, %(detail)s);

-- name: api_audit
-- A page of the record, newest first.
SELECT * FROM sqal_audit
WHERE (%(before)s::BIGINT IS NULL OR audit_id < %(before)s)
    AND (%(outcome)s::TEXT IS NULL OR outcome = %(outcome)s)
ORDER BY audit_id DESC LIMIT %(limit)s;
