"""The SQL file of a revision, statement by statement."""

from pathlib import Path
from typing import Protocol

from gateway.domain.failpoint import failpoint


class Bind(Protocol):
    """The one thing that a migration needs of its connection."""

    def exec_driver_sql(self, statement: str) -> object:
        """Run one statement as it is."""


def run(connection: Bind, name: str) -> None:
    """Run a file of this folder; a statement ends with `;` at the end of a line."""
    for statement in (Path(__file__).parent / name).read_text("utf-8").split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)
    failpoint("in_migration")
