-- Who may use the API: users, their sessions, tokens for programs, tickets for one WebSocket, and the record of what was
-- done and denied. Secrets are stored as digests only: SHA-256 of 256 random bits, argon2id of what people choose.

CREATE TABLE sqal_users (
    user_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name VARCHAR(100) NOT NULL UNIQUE,
    password_hash VARCHAR(300),               -- none: may enter by a login link only
    role VARCHAR(20) NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    sites TEXT[],                             -- none: every site
    is_active BOOLEAN NOT NULL DEFAULT TRUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);

CREATE TABLE sqal_api_tokens (
    token_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    digest BYTEA NOT NULL UNIQUE,
    role VARCHAR(20) NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    sites TEXT[],
    scopes TEXT[] NOT NULL,                   -- read, write, ingest
    created_by VARCHAR(100) NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ
);

-- What a browser holds: a session (cookie), a login link (once), or a ticket (once, for one WebSocket).
CREATE TABLE sqal_passes (
    digest BYTEA PRIMARY KEY,
    kind VARCHAR(10) NOT NULL CHECK (kind IN ('session', 'link', 'ticket')),
    user_id BIGINT REFERENCES sqal_users ON DELETE CASCADE,
    token_id BIGINT REFERENCES sqal_api_tokens ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    expires_at TIMESTAMPTZ NOT NULL,
    CHECK (num_nonnulls(user_id, token_id) = 1)
);
CREATE INDEX sqal_passes_by_end ON sqal_passes (expires_at);
CREATE INDEX sqal_passes_by_user ON sqal_passes (user_id);

-- Failed logins by name, of users and of names that nobody has: each one doubles the wait for the next.
CREATE TABLE sqal_login_failures (
    name VARCHAR(100) PRIMARY KEY,
    failures INTEGER NOT NULL,
    next_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE sqal_audit (
    audit_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    actor VARCHAR(200) NOT NULL,              -- user:anne, token:mes, demo, nobody, cli
    outcome VARCHAR(10) NOT NULL CHECK (outcome IN ('done', 'denied')),
    action VARCHAR(20) NOT NULL,              -- the method of a request, or a word of the command line
    target VARCHAR(500) NOT NULL,             -- its path; never its query, which may hold a token
    status INTEGER,
    address VARCHAR(100),
    request_id VARCHAR(100),
    detail VARCHAR(1000)
);
CREATE INDEX sqal_audit_by_time ON sqal_audit (time DESC);
