"""How Alembic reaches the database: one connection, one transaction per migration."""

from alembic import context
from sqlalchemy import create_engine, event, pool


def _begin_ourselves(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # the driver must not commit before DDL


def _run() -> None:
    engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
    event.listen(engine, "connect", _begin_ourselves)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.connect() as connection:
        context.configure(connection=connection, transaction_per_migration=True, transactional_ddl=True)
        with context.begin_transaction():
            context.run_migrations()


_run()
