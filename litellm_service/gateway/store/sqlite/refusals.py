"""Requests that were refused before they were admitted: counts only."""

import sqlite3
from collections import Counter

from gateway.domain.scope import Subject
from gateway.store.sqlite.dimensions import Dimension, Interner

RefusalKey = tuple[int, Subject, str]  # quarter of an hour since 1970, whom, error code

_ADD = """
INSERT INTO refusals (quarter, application_ref, user_ref, key_ref, model_ref, code, count) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET count = count + excluded.count
"""


def write(connection: sqlite3.Connection, interner: Interner, refused: Counter[RefusalKey]) -> None:
    """Add counts."""
    connection.executemany(
        _ADD,
        [
            (
                quarter,
                interner.ref(Dimension.APPLICATION, subject.application_id),
                interner.ref(Dimension.USER, subject.user_id),
                interner.ref(Dimension.KEY, subject.key_id),
                interner.ref(Dimension.MODEL, subject.model),
                code,
                count,
            )
            for (quarter, subject, code), count in refused.items()
        ],
    )
