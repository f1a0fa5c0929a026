"""Conversations of the console."""

from alembic import op

from gateway.store.migrations.scripts import run

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run(op.get_bind(), "0003_conversations.sql")
