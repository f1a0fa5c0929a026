"""Names interned as small integers, and prices by their exact terms."""

import sqlite3
from enum import IntEnum

import msgspec

from gateway.domain.entry import Hold
from gateway.domain.price import Price

Refs = tuple[int, int, int, int, int, int]


class Dimension(IntEnum):
    """The kinds of names in the table `dimensions`."""

    APPLICATION = 1
    USER = 2
    KEY = 3
    MODEL = 4
    PROVIDER = 5
    UPSTREAM_MODEL = 6


class Interner:
    """Names → ids for the writer's connection; forget everything after a rollback.

    Prices are looked up by identity (hashing their terms would cost more than writing the row); the cache keeps them alive.
    """

    LIMIT = 100_000

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._refs: dict[tuple[int, str], int] = {}
        self._prices: dict[int, tuple[Price, int]] = {}

    def forget(self) -> None:
        """Drop the cache: ids that a rolled-back transaction gave out are void."""
        self._refs.clear()
        self._prices.clear()

    def refs(self, hold: Hold) -> Refs:
        """Application, user, key, model, provider and upstream model of a hold, as ids."""
        return (
            self.ref(Dimension.APPLICATION, hold.application_id),
            self.ref(Dimension.USER, hold.user_id),
            self.ref(Dimension.KEY, hold.key_id),
            self.ref(Dimension.MODEL, hold.model),
            self.ref(Dimension.PROVIDER, hold.provider),
            self.ref(Dimension.UPSTREAM_MODEL, hold.upstream_model),
        )

    def ref(self, kind: Dimension, name: str) -> int:
        """The id of a name, given to it now if it is new."""
        found = self._refs.get((kind, name))
        return self._learn(kind, name) if found is None else found

    def price_id(self, price: Price | None) -> int | None:
        """The id of these exact terms; `None` for no price."""
        if price is None:
            return None
        found = self._prices.get(id(price))
        return self._learn_price(price) if found is None else found[1]

    def _learn(self, kind: Dimension, name: str) -> int:
        if len(self._refs) >= self.LIMIT:
            self._refs.clear()
        self._connection.execute("INSERT OR IGNORE INTO dimensions (kind, name) VALUES (?, ?)", (kind, name))
        row = self._connection.execute("SELECT id FROM dimensions WHERE kind = ? AND name = ?", (kind, name)).fetchone()
        self._refs[kind, name] = int(row[0])
        return int(row[0])

    def _learn_price(self, price: Price) -> int:
        if len(self._prices) >= self.LIMIT:
            self._prices.clear()
        terms = msgspec.json.encode(price).decode()
        self._connection.execute("INSERT OR IGNORE INTO prices (terms) VALUES (?)", (terms,))
        row = self._connection.execute("SELECT id FROM prices WHERE terms = ?", (terms,)).fetchone()
        self._prices[id(price)] = (price, int(row[0]))
        return int(row[0])
