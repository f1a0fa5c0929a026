"""Whether the ledger holds every answer that the load generator received."""

import contextlib
import os
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.measuring import Results
from bench.places import PYTHON, SERVICE, environment


@dataclass(frozen=True)
class Accounting:
    """Answers that clients received, rows of completed requests, open holds, and the audit's own word."""

    answers: int
    completed: int
    in_flight: int
    open_holds: int
    audit_clean: bool
    on_disk: bool

    @property
    def right(self) -> bool:
        """Every answer has its row; at most what was in flight when a run ended has one too."""
        within = self.answers <= self.completed <= self.answers + self.in_flight
        return within and self.open_holds == 0 and self.audit_clean

    def sentence(self) -> str:
        """The finding in words."""
        where = "" if self.on_disk else " WARNING: the database is not on a disk."
        return (
            f"{'Right' if self.right else 'WRONG'}: clients received {self.answers:,} whole answers; the ledger holds "
            f"{self.completed:,} completed requests (up to {self.in_flight:,} were in flight when a run ended), "
            f"{self.open_holds} open holds, audit {'clean' if self.audit_clean else 'NOT CLEAN'}.{where}"
        )


def check(databases: list[Path], results: Results) -> Accounting:
    """Read the files after the services have stopped."""
    completed, holds = map(sum, zip(*map(_counts, databases), strict=True))
    return Accounting(
        answers=results.answers, completed=completed, in_flight=results.in_flight, open_holds=holds,
        audit_clean=all(map(_is_clean, databases)),
        on_disk=_file_system(databases[0]) not in {"tmpfs", "ramfs", "overlay-tmpfs"},
    )  # fmt: skip


def _counts(database: Path) -> tuple[int, int]:
    """Completed requests and open holds."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        completed = connection.execute("SELECT count(*) FROM requests WHERE http_status = 200").fetchone()[0]
        holds = connection.execute(
            "SELECT count(*) FROM holds h WHERE NOT EXISTS"
            " (SELECT 1 FROM ledger l WHERE l.request_id = h.request_id AND l.attempt = h.attempt)"
        ).fetchone()[0]
    return completed, holds


def _is_clean(database: Path) -> bool:
    audit = subprocess.run(
        [PYTHON, "-m", "gateway", "doctor", "--audit"], cwd=SERVICE, capture_output=True, text=True, check=False,
        env=environment({"DATABASE_URL": f"sqlite:///{database}"}),
    )  # fmt: skip
    return audit.returncode == 0


def _file_system(path: Path) -> str:
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, name, *_ = line.split()
        inside = os.path.commonpath([path.resolve(), mount]) == mount
        if inside and len(mount) >= len(best):
            best, kind = mount, name
    return kind
