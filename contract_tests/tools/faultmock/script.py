"""What one request asks the mock to do: its fault, its length, its pace, what the answer is made of."""

import dataclasses
import re
from typing import Any

_DIRECTIVE = re.compile(r"\{\{(.*?)\}\}")
SAYINGS = ("", "media", "prompt")


@dataclasses.dataclass(frozen=True)
class Script:
    """How to answer; each field can be set by `{{fault=stall tokens=40 delay_ms=5}}` in the last user message.

    `after`: tokens before a fault in mid-stream. `times`: the fault hits only the first so many calls of a marker
    (0: every call). `size`: of what is big, in MB. `tokens` of text: `None` where the request does not say.

    `thinking`: so many reasoning tokens before the answer; `hidden`: they are billed but their words stay secret.
    `tools`: so many calls to the request's tools, in parallel. `json`: an object that fits the schema asked for.
    `say`: `media` (a line for each image, document and sound that arrived) or `prompt` (the user's words back).
    `finish`: stop, length, content_filter, refusal, pause, or a word of the wire. `cached`, `cache_write` (for five
    minutes) and `cache_write_1h`: so many of the prompt's tokens. `keep`: the truth log keeps the request body.
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
    thinking: int = 0
    hidden: int = 0
    tools: int = 0
    json: int = 0
    say: str = ""
    finish: str = ""
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    keep: int = 0


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
    script = Script(**settings)
    if script.say not in SAYINGS:
        raise ValueError(f"the mock cannot say {script.say!r}; it can say media and prompt")
    return script
