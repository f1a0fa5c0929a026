"""The first schema."""

from pathlib import Path

from alembic import op

from gateway.domain.failpoint import failpoint

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the SQL file of this revision."""
    script = (Path(__file__).parents[1] / "0001_initial.sql").read_text()
    connection = op.get_bind()
    for statement in script.split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    failpoint("in_migration")
