"""What was asked, in words that every wire shares."""

import base64
import binascii
import dataclasses
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from faultmock.pieces import Json
from faultmock.script import Script, parse_script
from faultmock.text import token_count

_MARKER = re.compile(r"\bm-[0-9a-f]{8,}\b")
_TOKENS_A_MESSAGE = 3


@dataclasses.dataclass(frozen=True)
class Target:
    """Where a request went: its wire, and what the path says. `array`: a stream is a JSON array instead of events."""

    wire: str
    path: str = ""
    model: str = ""
    stream: bool = False
    array: bool = False


@dataclasses.dataclass(frozen=True)
class Tool:
    """A function that the model may call."""

    name: str
    schema: Json


@dataclasses.dataclass(frozen=True)
class Media:
    """An image, document or sound as it arrived; `size` and `digest` (of SHA-256, 8 digits) only where its bytes did."""

    kind: str
    mime: str
    size: int | None = None
    digest: str = ""

    @property
    def line(self) -> str:
        """What an answer says about it."""
        return (
            f"{self.kind} {self.mime} {self.size} bytes {self.digest}"
            if self.size is not None
            else f"{self.kind} by name"
        )


def media_of(kind: str, mime: str, data: bytes) -> Media:
    """What arrived with its bytes."""
    return Media(kind, mime, len(data), hashlib.sha256(data).hexdigest()[:8])


def media_in_base64(kind: str, mime: str, data: str) -> Media:
    """What arrived in base64; raises `ValueError` where it is none."""
    try:
        return media_of(kind, mime, base64.b64decode(data, validate=True))
    except binascii.Error as error:
        raise ValueError(f"the {kind} is no base64: {error}") from None


def media_by_url(kind: str, url: str) -> Media:
    """What arrived in a `data:` URL, or as the name of something elsewhere."""
    if not url.startswith("data:"):
        return Media(kind, "")
    head, _, data = url.removeprefix("data:").partition(",")
    return media_in_base64(kind, head.partition(";")[0], data)


@dataclasses.dataclass(frozen=True)
class Turn:
    """One message: its text, what tools gave back, what is to be seen, and signatures of earlier thoughts."""

    role: str
    text: str = ""
    results: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    signatures: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as its wire says it. `format` is the schema of a JSON answer, `{}` any object; `body` all of it."""

    body: Json
    model: str
    turns: Sequence[Turn]
    stream: bool = False
    array: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    choices: int = 1
    tools: Sequence[Tool] = ()
    tool_choice: str = ""
    thinking: bool = False
    format: Json | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ask(Asked):
    """A request as the mock reads it. `marker` is `m-` and hex from the prompt, where there is one."""

    wire: str
    serial: int
    prompt: str
    prompt_tokens: int
    marker: str | None
    script: Script

    @property
    def id(self) -> str:
        """What names the answer: the marker, where there is one."""
        return self.marker or "mock"

    @property
    def media(self) -> list[Media]:
        """Everything to be seen or heard, in its order."""
        return [media for turn in self.turns for media in turn.media]

    @property
    def results(self) -> list[str]:
        """What tools gave back in the last turns, if the conversation ends with that."""
        found: list[str] = []
        for turn in reversed(self.turns):
            if not turn.results:
                break
            found[:0] = turn.results
        return found


def make_ask(target: Target, asked: Asked, header: str = "", serial: int = 0) -> Ask:
    """Add marker, script and the count of the prompt; raises `ValueError` for a script that makes no sense."""
    texts = [" ".join([turn.text, *turn.results]) for turn in asked.turns]
    prompt = next((turn.text for turn in reversed(asked.turns) if turn.role == "user" and turn.text), "")
    marker = _MARKER.search(" ".join([*texts, header]))
    script = parse_script(asked.model, prompt, header)
    if script.tools and not asked.tools:
        raise ValueError("the script wants tool calls, but the request has no tools")
    if script.json and asked.format is None:
        raise ValueError("the script wants JSON, but the request does not")
    return Ask(
        **{field.name: getattr(asked, field.name) for field in dataclasses.fields(asked)},
        wire=target.wire,
        serial=serial,
        prompt=prompt,
        prompt_tokens=_TOKENS_A_MESSAGE + sum(_TOKENS_A_MESSAGE + token_count(text) for text in texts),
        marker=marker.group() if marker else None,
        script=script,
    )


def joined_texts(content: Any, *kinds: str) -> str:
    """The text of a message whose content is a string or a list of parts; `kinds` of parts, any if there is none."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    parts = [part for part in content if isinstance(part, dict) and (not kinds or part.get("type") in kinds)]
    return " ".join(str(part.get("text") or "") for part in parts)


def parts_of(content: Any) -> Iterable[Json]:
    """The parts of a message, none where its content is a string."""
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
