CREATE TABLE conversations (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    title_words TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    UNIQUE (owner, name)
);

CREATE INDEX conversations_by_time ON conversations (owner, updated_at_ms);

CREATE TABLE conversation_messages (
    id INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    request_id TEXT,
    value TEXT NOT NULL,
    text TEXT NOT NULL,
    words TEXT NOT NULL,
    UNIQUE (conversation_id, name)
);

CREATE TABLE conversation_files (
    id INTEGER PRIMARY KEY,
    conversation_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (conversation_id, name)
);
