"""The only package that speaks SQL: writing, reading, migrations."""
