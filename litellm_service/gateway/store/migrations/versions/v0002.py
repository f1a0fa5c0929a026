"""Keys, budgets, limits, prices; audit; idempotency; refusals; coarser rollups."""

import sqlite3
from typing import cast

from alembic import op

from gateway.store.migrations.scripts import run
from gateway.store.sqlite.coarse import derive

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the SQL file of this revision; then fill what it derives from the older tables."""
    connection = op.get_bind()
    run(connection, "0002_money.sql")
    for table in ("rollup_hours", "rollup_name_hours"):
        connection.exec_driver_sql(f"DELETE FROM {table}")
    derive(cast("sqlite3.Connection", connection.connection.driver_connection))
