CREATE TABLE objects (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

CREATE TABLE budget_periods (
    budget_id TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER,
    spent_nano_usd INTEGER NOT NULL,
    told_percent INTEGER NOT NULL,
    PRIMARY KEY (budget_id, start_ms)
) WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    before TEXT,
    after TEXT
);

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE events (
    id TEXT PRIMARY KEY NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    delivered_at_ms INTEGER
);

CREATE TABLE idempotency (
    id INTEGER PRIMARY KEY,
    caller TEXT NOT NULL,
    name BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    request_id BLOB NOT NULL,
    created_at_ms INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB,
    UNIQUE (caller, name)
);

CREATE INDEX idempotency_by_time ON idempotency (created_at_ms);

CREATE TABLE refusals (
    quarter INTEGER NOT NULL,
    application_ref INTEGER NOT NULL,
    user_ref INTEGER NOT NULL,
    key_ref INTEGER NOT NULL,
    model_ref INTEGER NOT NULL,
    code TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (quarter, application_ref, user_ref, key_ref, model_ref, code)
) WITHOUT ROWID;

CREATE INDEX requests_by_key ON requests (key_id, admitted_at_ms) WHERE length(key_id) = 16;

CREATE TABLE rollup_days (
    day INTEGER NOT NULL,
    application_ref INTEGER NOT NULL,
    model_ref INTEGER NOT NULL,
    provider_ref INTEGER NOT NULL,
    http_status INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    unpriced_requests INTEGER NOT NULL,
    estimated_requests INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    PRIMARY KEY (day, application_ref, model_ref, provider_ref, http_status)
) WITHOUT ROWID;

CREATE TABLE rollup_names (
    ref INTEGER NOT NULL,
    quarter INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    unpriced_requests INTEGER NOT NULL,
    estimated_requests INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    PRIMARY KEY (ref, quarter)
) WITHOUT ROWID;

CREATE TABLE rollup_name_days (
    ref INTEGER NOT NULL,
    day INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    unpriced_requests INTEGER NOT NULL,
    estimated_requests INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    PRIMARY KEY (ref, day)
) WITHOUT ROWID;

CREATE TABLE rollup_owner_days (
    key_ref INTEGER NOT NULL,
    day INTEGER NOT NULL,
    user_ref INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    unpriced_requests INTEGER NOT NULL,
    estimated_requests INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    PRIMARY KEY (key_ref, day, user_ref)
) WITHOUT ROWID;

CREATE INDEX rollup_owner_days_by_user ON rollup_owner_days (user_ref, day);

CREATE TABLE rollup_details (
    ref INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    application_ref INTEGER NOT NULL,
    model_ref INTEGER NOT NULL,
    provider_ref INTEGER NOT NULL,
    http_status INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    unpriced_requests INTEGER NOT NULL,
    estimated_requests INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    PRIMARY KEY (ref, hour, application_ref, model_ref, provider_ref, http_status)
) WITHOUT ROWID;

CREATE TABLE histogram_days (
    day INTEGER NOT NULL,
    application_ref INTEGER NOT NULL,
    model_ref INTEGER NOT NULL,
    provider_ref INTEGER NOT NULL,
    duration BLOB NOT NULL,
    first_token BLOB NOT NULL,
    overhead BLOB NOT NULL,
    PRIMARY KEY (day, application_ref, model_ref, provider_ref)
) WITHOUT ROWID;

CREATE TABLE histogram_names (
    ref INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    duration BLOB NOT NULL,
    first_token BLOB NOT NULL,
    overhead BLOB NOT NULL,
    PRIMARY KEY (ref, hour)
) WITHOUT ROWID;

CREATE TABLE stored_responses (
    response_id TEXT PRIMARY KEY,
    caller TEXT NOT NULL,
    provider TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX stored_responses_by_time ON stored_responses (created_at_ms);

CREATE INDEX rollups_by_key ON rollups (key_ref, quarter);

ALTER TABLE ledger ADD COLUMN newly_priced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN saved_nano_usd INTEGER;
ALTER TABLE ledger ADD COLUMN reason TEXT;
