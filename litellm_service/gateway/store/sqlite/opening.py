"""Opening the file: lock, damage, schema, connections."""

import fcntl
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from gateway.domain.errors import StoreUnavailable
from gateway.domain.failpoint import failpoint

HEAD = "0003"
BUSY_TIMEOUT_S = 5
WAL_PAGES = 2_000
WAL_BYTES_KEPT = 64 * 1024 * 1024
MIGRATIONS = Path(__file__).parents[1] / "migrations"
_HEADER = b"SQLite format 3\x00"
_VERSION_TABLE = """
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))
"""


class DatabaseUnusable(StoreUnavailable):
    """The file cannot be used as it is; the message says how to mend that."""


class DatabaseInUse(DatabaseUnusable):
    """Another process has it; `owner` is its id as far as it is known."""

    owner = "unknown"


class FileLock:
    """One process owns the file; a second one is refused."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._descriptor = -1

    def acquire(self) -> None:
        """Take the lock; raises `DatabaseInUse` naming the process that has it."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._descriptor, 32).decode(errors="replace").strip()
            self.release()
            in_use = DatabaseInUse(
                f"Another gateway (process {owner or 'unknown'}) already uses this database. "
                "Stop it, or give this one its own file with DATABASE_URL."
            )
            in_use.owner = owner or in_use.owner
            raise in_use from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let it go; may be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def prepare_folder(database: Path) -> None:
    """Make sure that the file can be made and written; raises `DatabaseUnusable`."""
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnusable(
            f"The folder {database.parent} cannot be made: {error.strerror}. Check DATABASE_URL."
        ) from error
    target = database if database.exists() else database.parent
    if not os.access(target, os.W_OK) or not os.access(database.parent, os.W_OK):
        raise DatabaseUnusable(f"{target} cannot be written by this user. Change its permissions or DATABASE_URL.")


def check_not_damaged(database: Path) -> None:
    """Refuse a file that is not a whole SQLite database; never touches it."""
    if not database.exists() or database.stat().st_size == 0:
        return
    with database.open("rb") as file:
        header = file.read(100)
    if not header.startswith(_HEADER):
        raise _damaged(database, "it does not begin like an SQLite file")
    try:
        connection = connect(database)
        try:
            _probe(connection, database)
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise DatabaseUnusable(
            f"{database} cannot be opened: {error}. Check its permissions and who else uses it."
        ) from error
    except sqlite3.DatabaseError as error:
        raise _damaged(database, str(error)) from error


def schema_version(database: Path) -> str | None:
    """The migration that the file is at; `None` for a new file."""
    if not database.exists():
        return None
    connection = connect(database)
    try:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "alembic_version" not in names:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None
    finally:
        connection.close()


def migrate_if_behind(database: Path) -> None:
    """Bring the schema to `HEAD`.

    A new file gets all of it at once; an older one is migrated in a process of its own, so that this one never loads the
    migration library. A test holds that both give the same schema.
    """
    version = schema_version(database)
    if version == HEAD:
        return
    if version is None:
        _create(database)
        return
    if version > HEAD:
        raise DatabaseUnusable(
            f"{database} was written by a newer gateway (schema {version}, this one knows {HEAD}). "
            "Start the newer version, or restore the backup made before the upgrade."
        )
    command = [sys.executable, "-m", "gateway.store.migrations", str(database)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    if result.returncode != 0:
        raise DatabaseUnusable(
            f"The schema of {database} could not be brought up to date: {result.stderr.strip()[-500:]}"
        )


def _create(database: Path) -> None:
    connection = connect(database)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for script in sorted(MIGRATIONS.glob("*.sql")):
            for statement in script.read_text("utf-8").split(";\n"):
                connection.execute(statement)
        connection.execute(_VERSION_TABLE)
        connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
        failpoint("in_migration")
        connection.execute("COMMIT")
    finally:
        connection.close()


def connect(database: Path) -> sqlite3.Connection:
    """A read-write connection that commits only when told, durably."""
    connection = sqlite3.connect(
        database, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S, cached_statements=64
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _probe(connection: sqlite3.Connection, database: Path) -> None:
    """Read the catalogue and both ends of every table, and compare the file's length with what it says of itself."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    page_size = connection.execute("PRAGMA page_size").fetchone()[0]
    wal = database.with_name(database.name + "-wal")
    if database.stat().st_size < pages * page_size and not (wal.exists() and wal.stat().st_size):
        raise sqlite3.DatabaseError("it is shorter than it says it is")
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        quoted = '"' + name.replace('"', '""') + '"'
        connection.execute(f"SELECT * FROM {quoted} LIMIT 1").fetchone()
    for (index,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall():
        connection.execute("SELECT * FROM pragma_index_info(?)", (index,)).fetchone()


def _damaged(database: Path, why: str) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"{database} is damaged: {why}. It was left as it is. Restore a backup over it, or try "
        f"`sqlite3 {database.name} .recover`; to start empty, move it away (deleting it deletes all usage)."
    )
