"""One route as it is documented."""

from typing import Any

import msgspec


class Doc(msgspec.Struct, frozen=True, kw_only=True):
    """`body` is an example, `schema` and `reply` are names of shapes, `open` needs no key.

    `form`: the body is a form (`multipart/form-data`) with a file. `gives` is the reply's type where it is not JSON.
    """

    method: str
    path: str
    title: str
    about: str = ""
    parameters: dict[str, str] = {}
    schema: str | None = None
    reply: str | None = None
    body: dict[str, Any] | None = None
    streams: bool = False
    open: bool = False
    form: bool = False
    gives: str = "application/json"
