"""Where each wire is: the end of a path, whatever stands before it."""

import re
import urllib.parse

from faultmock.asking import Target

# Azure has the deployment in the path, Vertex and Gemini the model.
_MODEL = re.compile(r"/(?:deployments|models)/([^/:]+)")
_POSTED = {
    "/chat/completions": "openai",
    "/completions": "completions",
    "/responses": "responses",
    "/messages/count_tokens": "anthropic-count",
    "/messages": "anthropic",
    ":rawPredict": "anthropic",
    ":streamRawPredict": "anthropic",
    ":generateContent": "gemini",
    ":streamGenerateContent": "gemini",
    ":countTokens": "gemini-count",
    "/embeddings": "embeddings",
    "/moderations": "moderations",
    "/rerank": "rerank",
    "/images/generations": "images",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcription",
    "/audio/translations": "translation",
}
_KEPT = re.compile(r"/responses/[^/]+(/cancel|/input_items)?$")


def target_of(method: str, url: str) -> Target | None:
    """The wire of a request, and what the path says; `None` for a path without one."""
    path, _, query = url.partition("?")
    wire = next((wire for end, wire in _POSTED.items() if path.endswith(end)), None)
    if method != "POST" or wire is None:
        return None
    stream = ":stream" in path
    array = path.endswith(":streamGenerateContent") and urllib.parse.parse_qs(query).get("alt") != ["sse"]
    model = _MODEL.search(path)
    return Target(wire, path, urllib.parse.unquote(model.group(1)) if model else "", stream, array)


def is_about_kept(path: str) -> bool:
    """Whether a path names a response that the mock may keep."""
    return bool(_KEPT.search(path.partition("?")[0]))
