"""Requests that the mock recognises: markers, directives, bodies for each calling route."""

import secrets
from typing import Any

from faultmock.text import word_tokens

Body = dict[str, Any]
MODEL = "gpt-4o"
ROUTES = {"openai": "/v1/chat/completions", "seed": "/api/chat"}


def new_marker() -> str:
    """A name that no other request has: the mock logs it, and it serves as the user id."""
    return f"m-{secrets.token_hex(8)}"


def prompt(marker: str, words: int = 0, **script: str | float) -> str:
    """A user message with a marker, a script for the mock and so many words."""
    directive = " ".join(f"{name}={value}" for name, value in script.items() if value != "")
    return " ".join(filter(None, [marker, f"{{{{{directive}}}}}" if directive else "", "".join(word_tokens(words))]))


def body(route: str, text: str, *, stream: bool, user: str = "tester", model: str = MODEL, **extra: object) -> Body:
    """The body of one call: `openai` or `seed`."""
    if route == "seed":
        return {"model": model, "query": text, "user_id": user, "application_id": "contract", "stream": stream, **extra}
    messages = [{"role": "user", "content": text}]
    options = {"stream_options": {"include_usage": True}} if stream else {}
    return {"model": model, "messages": messages, "user": user, "stream": stream, **options, **extra}
