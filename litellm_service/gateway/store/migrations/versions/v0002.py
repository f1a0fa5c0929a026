"""Keys, budgets, limits, prices; audit; idempotency; refusals."""

from alembic import op

from gateway.store.migrations.scripts import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL file of this revision."""
    run(op.get_bind(), "0002_money.sql")
