"""What one request asks the mock to do: its fault, its length, its pace."""

import dataclasses
import json
import re
from typing import Any

from faultmock.text import token_count

_DIRECTIVE = re.compile(r"\{\{(.*?)\}\}")
_MARKER = re.compile(r"\bm-[0-9a-f]{8,}\b")
_TOKENS_A_MESSAGE = 3


@dataclasses.dataclass(frozen=True)
class Script:
    """How to answer; each field can be set by `{{fault=stall tokens=40 delay_ms=5}}` in the last user message.

    `after`: tokens before a fault in mid-stream. `times`: the fault hits only the first so many calls of a marker
    (0: every call). `size`: of what is big, in MB. `tokens` is `None` where the request does not say.
    """

    fault: str = ""
    tokens: int | None = None
    first_ms: float = 0.0
    delay_ms: float = 0.0
    after: int = 3
    times: int = 0
    size: float = 0.0
    retry_after: str = ""
    n: int = 1


_KINDS = {field.name: type(field.default) for field in dataclasses.fields(Script)}


def _converted(name: str, text: str) -> Any:
    if name not in _KINDS:
        raise ValueError(f"no setting {name!r}; there are {', '.join(_KINDS)}")
    kind = _KINDS[name]
    return kind(text) if kind in (str, float) else int(text)


def _from_model(model: str) -> dict[str, Any]:
    name = model.rsplit("/", 1)[-1]
    if name.startswith("fault-"):
        return {"fault": name.removeprefix("fault-")}
    if name.startswith("slow-"):
        return {"first_ms": float(name.removeprefix("slow-"))}
    return {}


def parse_script(model: str, prompt: str, header: str = "") -> Script:
    """The script of a request: by model name (`fault-NAME`, `slow-MS`), then prompt, then `x-faultmock` header."""
    settings = _from_model(model)
    directives = " ".join([*_DIRECTIVE.findall(prompt), header])
    for pair in directives.split():
        name, _, text = pair.partition("=")
        settings[name] = _converted(name, text)
    return Script(**settings)


@dataclasses.dataclass(frozen=True)
class Ask:
    """A request as the mock reads it. `marker` is `m-` and hex from the prompt, where there is one."""

    wire: str
    model: str
    stream: bool
    include_usage: bool
    prompt: str
    prompt_tokens: int
    max_tokens: int | None
    choices: int
    marker: str | None
    script: Script


def _texts(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Role and text of each message, the system prompt included."""
    messages = [{"role": "system", "content": body["system"]}] if body.get("system") else []
    found = []
    for message in messages + list(body.get("messages") or []):
        content = message.get("content") or ""
        if not isinstance(content, str):
            content = " ".join(part.get("text", "") for part in content if isinstance(part, dict))
        found.append((str(message.get("role")), content))
    return found


def read_ask(wire: str, raw: bytes, header: str = "") -> Ask:
    """Read a request body; raises `ValueError` or `TypeError` for what is no JSON object."""
    body = json.loads(raw)
    if not isinstance(body, dict):
        raise TypeError("the body is not a JSON object")
    texts = _texts(body)
    prompt = next((text for role, text in reversed(texts) if role == "user"), "")
    marker = _MARKER.search(" ".join(text for _, text in texts))
    return Ask(
        wire=wire,
        model=str(body.get("model", "")),
        stream=bool(body.get("stream")),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        prompt=prompt,
        prompt_tokens=_TOKENS_A_MESSAGE + sum(_TOKENS_A_MESSAGE + token_count(text) for _, text in texts),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        choices=int(body.get("n") or 1),
        marker=marker.group() if marker else None,
        script=parse_script(str(body.get("model", "")), prompt, header),
    )
