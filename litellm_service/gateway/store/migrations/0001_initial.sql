CREATE TABLE meta (
    name TEXT PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE boots (
    id INTEGER PRIMARY KEY,
    started_at_ms INTEGER NOT NULL,
    stopped_at_ms INTEGER,
    version TEXT NOT NULL
);

CREATE TABLE dimensions (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (kind, name)
);

CREATE TABLE prices (
    id INTEGER PRIMARY KEY,
    terms TEXT NOT NULL UNIQUE
);

CREATE TABLE holds (
    id INTEGER PRIMARY KEY,
    boot_id INTEGER NOT NULL,
    request_id BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    admitted_at_ms INTEGER NOT NULL,
    amount_nano_usd INTEGER NOT NULL CHECK (amount_nano_usd >= 0),
    application_ref INTEGER NOT NULL,
    user_ref INTEGER NOT NULL,
    key_ref INTEGER NOT NULL,
    model_ref INTEGER NOT NULL,
    provider_ref INTEGER NOT NULL,
    upstream_model_ref INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    input_tokens_estimate INTEGER NOT NULL,
    price_id INTEGER
);

CREATE TABLE progress (
    hold_id INTEGER PRIMARY KEY,
    output_tokens INTEGER NOT NULL,
    first_token_us INTEGER
);

CREATE TABLE ledger (
    id INTEGER PRIMARY KEY,
    request_id BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    final INTEGER NOT NULL,
    admitted_at_ms INTEGER NOT NULL,
    recorded_at_ms INTEGER NOT NULL,
    application_ref INTEGER NOT NULL,
    user_ref INTEGER NOT NULL,
    key_ref INTEGER NOT NULL,
    model_ref INTEGER NOT NULL,
    provider_ref INTEGER NOT NULL,
    upstream_model_ref INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    outcome INTEGER NOT NULL,
    http_status INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL CHECK (input_tokens >= 0),
    cache_read_tokens INTEGER NOT NULL CHECK (cache_read_tokens >= 0),
    cache_write_tokens INTEGER NOT NULL CHECK (cache_write_tokens >= 0),
    output_tokens INTEGER NOT NULL CHECK (output_tokens >= 0),
    reasoning_tokens INTEGER NOT NULL CHECK (reasoning_tokens >= 0),
    usage_detail TEXT,
    cost_nano_usd INTEGER,
    cost_source INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    price_id INTEGER,
    held_nano_usd INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    first_token_us INTEGER,
    overhead_us INTEGER,
    error_code TEXT,
    finish_reason TEXT,
    UNIQUE (request_id, attempt, kind, seq)
);

CREATE TABLE requests (
    id TEXT PRIMARY KEY NOT NULL,
    application_id TEXT,
    user_id TEXT,
    model TEXT NOT NULL,
    response_time REAL,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    total_tokens INTEGER,
    cost_usd REAL,
    timestamp TEXT NOT NULL,
    status TEXT,
    error_message TEXT,
    provider TEXT NOT NULL,
    upstream_model TEXT NOT NULL,
    key_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    outcome TEXT NOT NULL,
    http_status INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nano_usd INTEGER,
    cost_source TEXT NOT NULL,
    time_to_first_token REAL,
    overhead REAL,
    attempts INTEGER NOT NULL,
    admitted_at_ms INTEGER NOT NULL,
    application_ref INTEGER NOT NULL,
    user_ref INTEGER NOT NULL,
    model_ref INTEGER NOT NULL,
    query TEXT NOT NULL,
    response TEXT,
    messages TEXT
);

CREATE INDEX requests_by_application ON requests (application_ref, admitted_at_ms);

CREATE INDEX requests_by_user ON requests (user_ref, admitted_at_ms);

CREATE INDEX requests_by_model ON requests (model_ref, admitted_at_ms);

CREATE INDEX requests_failed ON requests (admitted_at_ms) WHERE status = 'error';

CREATE TABLE rollups (
    quarter INTEGER NOT NULL,
    application_ref INTEGER NOT NULL,
    user_ref INTEGER NOT NULL,
    key_ref INTEGER NOT NULL,
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
    PRIMARY KEY (quarter, application_ref, user_ref, key_ref, model_ref, provider_ref, http_status)
) WITHOUT ROWID;

CREATE INDEX rollups_by_user ON rollups (user_ref, quarter);

CREATE TABLE rollup_hours (
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
    PRIMARY KEY (hour, application_ref, model_ref, provider_ref, http_status)
) WITHOUT ROWID;

CREATE TABLE rollup_name_hours (
    ref INTEGER NOT NULL,
    hour INTEGER NOT NULL,
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
    PRIMARY KEY (ref, hour)
) WITHOUT ROWID;

CREATE TABLE histograms (
    hour INTEGER NOT NULL,
    application_ref INTEGER NOT NULL,
    model_ref INTEGER NOT NULL,
    provider_ref INTEGER NOT NULL,
    duration BLOB NOT NULL,
    first_token BLOB NOT NULL,
    overhead BLOB NOT NULL,
    PRIMARY KEY (hour, application_ref, model_ref, provider_ref)
) WITHOUT ROWID;
