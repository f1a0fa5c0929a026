"""The ledger in one SQLite file: one writer, query-only readers."""
