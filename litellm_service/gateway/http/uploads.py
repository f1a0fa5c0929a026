"""The routes whose bodies are forms with a file: read once, passed on but for the model's name.

Sources: https://platform.openai.com/docs/api-reference/audio/createTranscription, …/createTranslation; RFC 7578. What two
parsers could read in two ways is refused, for the provider's may not be like ours.
"""

import re
from collections.abc import Callable

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest
from gateway.domain.request import ModelRequest, Upload
from gateway.http.openai import checked_model, checked_name, header_text
from gateway.http.operations import MAX_SHOWN

MAX_PARTS = 100
STEERING = frozenset(("models", "route", "preset", "provider", "fallbacks"))
MAX_TEXT_BYTES = 64 * 1024
_BOUNDARY = re.compile(rb"[A-Za-z0-9'()+_,\-./:=?]{1,70}")


class _Part:
    """One part: where its content begins and ends; `filename` is `None` where it is no file."""

    __slots__ = ("end", "filename", "headers", "name", "start")

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.name = b""
        self.filename: bytes | None = None
        self.start = self.end = 0


class _Form:
    """Takes the parser's calls and notes where each part is; the whole body is written at once."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.is_whole = False
        self._field = b""

    def part_begin(self) -> None:
        """Raises `InvalidRequest` for too many."""
        if len(self.parts) == MAX_PARTS:
            raise InvalidRequest(f"The form has more than {MAX_PARTS} parts.")
        self.parts.append(_Part())

    def header_field(self, data: bytes, start: int, end: int) -> None:
        """A header's name."""
        self._field = data[start:end].lower()

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """A header's value."""
        self.parts[-1].headers.append((self._field, data[start:end]))

    def headers_finished(self) -> None:
        """Raises `InvalidRequest` for a part without one plain name."""
        part = self.parts[-1]
        said = [value for field, value in part.headers if field == b"content-disposition"]
        kind, options = parse_options_header(said[0]) if len(said) == 1 else (b"", {})
        if kind != b"form-data" or not options.get(b"name"):
            raise InvalidRequest("Each part of the form needs one header Content-Disposition: form-data with a name.")
        part.name, part.filename = options[b"name"], options.get(b"filename")

    def part_data(self, _data: bytes, start: int, end: int) -> None:
        """Some of a part's content."""
        part = self.parts[-1]
        part.start, part.end = part.start or start, end

    def end(self) -> None:
        """The closing boundary."""
        self.is_whole = True


def transcription(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """`POST /v1/audio/transcriptions`; raises `InvalidRequest`."""
    return _parsed(Operation.TRANSCRIPTION, body, headers)


def translation(body: bytes, headers: dict[bytes, bytes], _target: str = "") -> ModelRequest:
    """`POST /v1/audio/translations`; raises `InvalidRequest`."""
    return _parsed(Operation.TRANSLATION, body, headers)


def _parsed(operation: Operation, body: bytes, headers: dict[bytes, bytes]) -> ModelRequest:
    boundary = _boundary(headers.get(b"content-type", b""))
    parts = _parts(body, boundary)
    texts = {name: _text(name, body, part) for name, part in parts.items() if part.filename is None}
    model, file = parts.get("model"), parts.get("file")
    if model is None or model.filename is not None:
        raise InvalidRequest("model: the form needs a part of this name, with a model's name.", param="model")
    if file is None or file.filename is None:
        raise InvalidRequest("file: the form needs a part of this name, with a filename.", param="file")
    shown = (file.filename.decode("utf-8", "replace"), texts.get("prompt", ""))
    return ModelRequest(
        operation=operation,
        model=checked_model(texts["model"]),
        stream=texts.get("stream") == "true",
        fields={name: msgspec.Raw(msgspec.json.encode(value)) for name, value in texts.items()},
        size=len(body),
        query="\n".join(filter(None, shown))[:MAX_SHOWN],
        messages=None,
        application_id=checked_name("x-application-id", header_text(headers, b"x-application-id")) or "",
        user_id=checked_name("x-user-id", header_text(headers, b"x-user-id")) or "",
        upload=Upload(
            body=body,
            content_type=b'multipart/form-data; boundary="%s"' % boundary,
            boundary=boundary,
            model_at=(model.start, model.end),
        ),
    )


def _boundary(content_type: bytes) -> bytes:
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise InvalidRequest("Content-Type: multipart/form-data needs a boundary of 1 to 70 plain characters.")
    return boundary


def _parts(body: bytes, boundary: bytes) -> dict[str, _Part]:
    """By name; of a list (`name[]`) the last one. A name that we read may stand there once only."""
    form = _Form()
    callbacks: dict[str, Callable[..., None]] = {
        f"on_{name}": getattr(form, name)
        for name in ("part_begin", "header_field", "header_value", "headers_finished", "part_data", "end")
    }
    mark = b"--" + boundary
    is_framed = body.startswith(mark + b"\r\n") and body.endswith((mark + b"--\r\n", mark + b"--"))
    try:
        MultipartParser(boundary, callbacks).write(body)  # type: ignore[arg-type]  # a dict whose keys are made here
    except FormParserError as error:
        raise InvalidRequest(f"The form cannot be read: {error}.") from None
    if not (form.is_whole and is_framed) or body.count(mark) != len(form.parts) + 1:
        raise InvalidRequest("The form cannot be read: it must begin with its boundary and end with the closing one.")
    found: dict[str, _Part] = {}
    for part in form.parts:
        name = part.name.decode("utf-8", "replace")
        if name.partition("[")[0] in STEERING:
            raise InvalidRequest(
                f"{name[:80]}: a form cannot say this; where it goes is said by headers.", param=name[:80]
            )
        if name in found and not name.endswith("[]"):
            raise InvalidRequest(f"{name[:80]}: the form has this more than once.", param=name[:80])
        found[name] = part
    return found


def _text(name: str, body: bytes, part: _Part) -> str:
    if part.end - part.start > MAX_TEXT_BYTES:
        raise InvalidRequest(
            f"{name[:80]}: more than {MAX_TEXT_BYTES:,} bytes; only `file` may be longer.", param=name[:80]
        )
    return body[part.start : part.end].decode("utf-8", "replace")
