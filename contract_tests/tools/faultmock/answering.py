"""What the mock answers, in words that every wire shares."""

import base64
import dataclasses
import zlib
from collections.abc import Sequence
from typing import Any

from faultmock.asking import Ask
from faultmock.fitting import fitting
from faultmock.pieces import Json, dumps
from faultmock.text import split_tokens, word_tokens

_WORDS = 12
_REFUSAL = "I cannot help with that."


class _TrueUsage:
    """Says that the usage is stated as it is."""


class _NoUsage:
    """Says that no usage is stated."""


TRUE_USAGE, NO_USAGE = _TrueUsage(), _NoUsage()


@dataclasses.dataclass(frozen=True)
class Usage:
    """What is billed, as OpenAI counts: `prompt` includes what was cached or written, `completion` the reasoning."""

    prompt: int
    completion: int
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion."""
        return self.prompt + self.completion


@dataclasses.dataclass(frozen=True)
class ToolUse:
    """A call to a tool; `arguments` is JSON, `id` is without the wire's prefix."""

    id: str
    name: str
    arguments: str

    @property
    def halves(self) -> tuple[str, str]:
        """The arguments as a stream says them."""
        middle = len(self.arguments) // 2
        return self.arguments[:middle], self.arguments[middle:]

    @property
    def tokens(self) -> int:
        """What is billed: the name and each half."""
        return 3


@dataclasses.dataclass(frozen=True)
class Answer:
    """Thoughts, then text, then tool calls, and why it ends there.

    `finish`: stop, length, tool_calls, content_filter, refusal, pause, a word of the wire, or `None` where the answer
    does not say. `stated` is the usage object that the wire shows in place of the true one.
    """

    ask: Ask
    tokens: Sequence[str]
    usage: Usage
    finish: str | None = "stop"
    thoughts: Sequence[str] = ()
    calls: Sequence[ToolUse] = ()
    stated: Any = TRUE_USAGE

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.tokens)

    @property
    def thought(self) -> str:
        """The whole reasoning as far as it is shown."""
        return "" if self.ask.script.hidden else "".join(self.thoughts)

    @property
    def shown_thoughts(self) -> Sequence[str]:
        """The reasoning token by token, as far as it is shown."""
        return () if self.ask.script.hidden else self.thoughts

    @property
    def signature(self) -> str:
        """What a provider wants back with its thoughts and calls: base64."""
        return base64.b64encode(f"sig-{zlib.crc32(''.join(self.thoughts).encode()):08x}".encode()).decode()

    @property
    def has_text(self) -> bool:
        """Whether there is a text, be it empty for want of anything else."""
        return bool(self.tokens) or not (self.calls or self.thoughts)

    @property
    def completion_tokens(self) -> int:
        """What is billed for all choices."""
        return self.usage.completion


def said_usage(answer: Answer, key: str, true: Json) -> Json:
    """`{key: usage}` as the wire is to state it, or nothing."""
    if answer.stated is NO_USAGE:
        return {}
    return {key: true if answer.stated is TRUE_USAGE else answer.stated}


def make_answer(ask: Ask) -> Answer:
    """The answer that follows from the request alone."""
    script = ask.script
    calls = _tool_uses(ask) if script.tools and not ask.results else []
    thoughts, tokens = word_tokens(script.thinking, f"thought {ask.prompt}"), _said(ask, calls=bool(calls))
    limit = ask.max_tokens or len(thoughts) + len(tokens)
    shown_thoughts, shown_tokens = thoughts[:limit], tokens[: max(0, limit - len(thoughts))]
    whole = (len(shown_thoughts), len(shown_tokens)) == (len(thoughts), len(tokens))
    ending = ("tool_calls" if calls else "stop") if whole else "length"
    answer = Answer(ask, shown_tokens, Usage(0, 0), script.finish or ending, shown_thoughts, calls)
    return dataclasses.replace(answer, usage=billed(answer))


def billed(answer: Answer) -> Usage:
    """What the script and the content make of the bill."""
    ask, script = answer.ask, answer.ask.script
    count = len(answer.tokens) + len(answer.thoughts) + sum(call.tokens for call in answer.calls)
    cached = min(script.cached, ask.prompt_tokens)
    written = min(script.cache_write, ask.prompt_tokens - cached)
    hour = min(script.cache_write_1h, ask.prompt_tokens - cached - written)
    reasoning = len(answer.thoughts) * ask.choices
    return Usage(ask.prompt_tokens, count * ask.choices, cached, written, hour, reasoning)


def _tool_uses(ask: Ask) -> list[ToolUse]:
    """So many calls as the script says, to the tool that must be called or to each in turn."""
    tools = [tool for tool in ask.tools if tool.name == ask.tool_choice] or list(ask.tools)
    chosen = [tools[i % len(tools)] for i in range(ask.script.tools)]
    return [
        ToolUse(f"{ask.serial}_{i + 1}", tool.name, dumps(fitting(tool.schema, f"{ask.prompt} {i}")))
        for i, tool in enumerate(chosen)
    ]


def _said(ask: Ask, *, calls: bool) -> list[str]:
    script = ask.script
    if ask.results:
        return split_tokens("The tool said: " + " | ".join(ask.results))
    if script.say == "media":
        return split_tokens("; ".join(media.line for media in ask.media) or "nothing")
    if script.say == "prompt":
        return split_tokens(ask.prompt)
    if script.json:
        return split_tokens(dumps(fitting(ask.format or {}, ask.prompt)))
    if script.tokens is None and (calls or script.finish == "refusal"):
        return [] if calls else split_tokens(_REFUSAL)
    return word_tokens(_WORDS if script.tokens is None else script.tokens, ask.prompt)
