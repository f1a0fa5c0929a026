"""A file given up when the disk is full, so that settlements still commit."""

import contextlib
import os
from pathlib import Path

BALLAST_BYTES = 8 * 1024 * 1024


class Ballast:
    """Eight megabytes set aside beside the database."""

    def __init__(self, database: Path, size: int = BALLAST_BYTES) -> None:
        self._path = database.with_name(database.name + ".ballast")
        self._size = size

    def restore(self) -> bool:
        """Set the space aside (again); says whether the disk had room for it."""
        if self._path.exists() and self._path.stat().st_size >= self._size:
            return True
        try:
            self._fill()
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> bool:
        """Give the space back to the disk; says whether there was any."""
        held = self._path.exists() and self._path.stat().st_size > 0
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        return held

    def _fill(self) -> None:
        descriptor = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, self._size)
            else:
                os.write(descriptor, bytes(self._size))
        finally:
            os.close(descriptor)
