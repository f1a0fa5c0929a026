"""Filters and groupings as pieces of SQL: fixed text, bound values."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from gateway.store.questions import Filters
from gateway.store.sqlite.dimensions import Dimension

DIMENSIONS = {
    "application_id": ("application_ref", Dimension.APPLICATION),
    "user_id": ("user_ref", Dimension.USER),
    "key_id": ("key_ref", Dimension.KEY),
    "model": ("model_ref", Dimension.MODEL),
    "provider": ("provider_ref", Dimension.PROVIDER),
}


class Match(NamedTuple):
    """`AND …` over the columns of `names`, and its values. `never`: a name that nobody ever used is asked for."""

    where: str
    values: tuple[object, ...]
    names: frozenset[str]
    never: bool


def matching(connection: sqlite3.Connection, filters: Filters) -> Match:
    """The filters as a condition on interned names and statuses."""
    clauses: list[str] = []
    values: list[object] = []
    names: set[str] = set()
    never = False
    for name, refs in refs_of(connection, filters).items():
        clauses.append(f"AND {DIMENSIONS[name][0]} IN ({marks(refs)})")
        values += refs
        names.add(name)
        never |= not refs
    if filters.http_status:
        clauses.append(f"AND http_status IN ({marks(filters.http_status)})")
        values += filters.http_status
        names.add("http_status")
    if len(set(filters.status)) == 1:
        clauses.append("AND (http_status >= 400) = ?")
        values.append(filters.status[0] == "error")
        names.add("status")
    return Match(" ".join(clauses), tuple(values), frozenset(names), never)


def narrowed_to(match: Match, name: str, refs: Sequence[int]) -> Match:
    """The same, and only these names of one dimension."""
    where = f"{match.where} AND {DIMENSIONS[name][0]} IN ({marks(refs)})"
    return Match(where, (*match.values, *refs), match.names | {name}, match.never)


def refs_of(connection: sqlite3.Connection, filters: Filters) -> dict[str, list[int]]:
    """The ids of the names in each filter that is set; names that were never used have none."""
    found: dict[str, list[int]] = {}
    for name, (_, kind) in DIMENSIONS.items():
        wanted = filters.names(name)
        if wanted is not None:
            found[name] = [ref for text in dict.fromkeys(wanted) if (ref := ref_of(connection, kind, text)) is not None]
    return found


def ref_of(connection: sqlite3.Connection, kind: Dimension, name: str) -> int | None:
    """The id of a name, if it was ever used."""
    row = connection.execute("SELECT id FROM dimensions WHERE kind = ? AND name = ?", (kind, name)).fetchone()
    return None if row is None else int(row[0])


def group_columns(group_by: Sequence[str]) -> tuple[str, ...]:
    """What to select and to group by."""
    other = {"status": "http_status >= 400", "http_status": "http_status"}
    return tuple(other.get(name) or DIMENSIONS[name][0] for name in group_by)


def of_each(table: str, dimension: str) -> str:
    """A table of sums by `ref`: the rows of every name of a dimension, one name after the other."""
    column, kind = DIMENSIONS[dimension]
    rows = f"SELECT ref AS {column}, r.* FROM dimensions CROSS JOIN {table} r ON r.ref = dimensions.id"
    return f"({rows} WHERE kind = {kind:d})"


def of_some(table: str, dimension: str) -> str:
    """The same for names that are asked for: all rows, with the right name for their `ref`."""
    return f"(SELECT ref AS {DIMENSIONS[dimension][0]}, * FROM {table})"


def named(
    connection: sqlite3.Connection, keys: Iterable[tuple[int, ...]], group_by: Sequence[str]
) -> dict[tuple[int, ...], tuple[str, ...]]:
    """Ids as names; `status` as success or error."""
    keys = set(keys)
    names = names_of(
        connection, {ref for key in keys for ref, name in zip(key, group_by, strict=True) if name in DIMENSIONS}
    )

    def text(ref: int, name: str) -> str:
        if name == "status":
            return "error" if ref else "success"
        return str(ref) if name == "http_status" else names.get(ref, "")

    return {key: tuple(text(ref, name) for ref, name in zip(key, group_by, strict=True)) for key in keys}


def names_of(connection: sqlite3.Connection, refs: Iterable[int]) -> dict[int, str]:
    """The names behind some ids."""
    wanted = sorted(refs)
    found: dict[int, str] = {}
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        found.update(
            connection.execute(f"SELECT id, name FROM dimensions WHERE id IN ({marks(some)})", some).fetchall()
        )
    return found


def json_list(numbers: Sequence[int]) -> str:
    """For `json_each`: any number of values as one."""
    return msgspec.json.encode(numbers).decode()


def marks(values: Sequence[object]) -> str:
    """As many question marks."""
    return ", ".join("?" * len(values))
