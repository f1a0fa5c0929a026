"""The schema's history: plain SQL, applied by Alembic."""
