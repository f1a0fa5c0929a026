"""The first schema."""

from alembic import op

from gateway.store.migrations.scripts import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run(op.get_bind(), "0001_initial.sql")
