"""Request bodies: JSON objects and multipart forms (RFC 7578)."""

import email.message
import json
from collections.abc import Iterator
from typing import Any

from faultmock.asking import media_of
from faultmock.http import Request
from faultmock.pieces import Json


def decoded(request: Request) -> Json:
    """The fields of a body; raises `ValueError` or `TypeError` for what is neither a JSON object nor a form.

    A file of a form becomes `{"name", "media"}`.
    """
    kind = _header(request.headers.get("content-type", ""))
    if kind.get_content_type() == "multipart/form-data":
        return dict(_fields(request.body, str(kind.get_param("boundary"))))
    body = json.loads(request.body)
    if not isinstance(body, dict):
        raise TypeError("the body is not a JSON object")
    return body


def _header(value: str, name: str = "content-type") -> email.message.Message:
    message = email.message.Message()
    message[name] = value
    return message


def _fields(body: bytes, boundary: str) -> Iterator[tuple[str, Any]]:
    _, *parts = (b"\r\n" + body).split(f"\r\n--{boundary}".encode())
    if not parts or parts[-1][:2] != b"--":
        raise ValueError("the form does not end")
    for part in parts[:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        yield _field(head.decode("utf-8"), data)


def _field(head: str, data: bytes) -> tuple[str, Any]:
    pairs = (line.partition(":") for line in head.split("\r\n") if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    said = _header(headers["content-disposition"], "content-disposition")
    name, file_name = (said.get_param(one, header="content-disposition") for one in ("name", "filename"))
    if file_name is None:
        return str(name), data.decode("utf-8")
    kind = headers.get("content-type", "application/octet-stream")
    return str(name), {"name": str(file_name), "media": media_of("audio", kind, data)}
