"""What a request can make a provider charge besides tokens."""

import msgspec

from gateway.domain.request import ModelRequest

UNSTATED_SEARCHES = 10
_PLAIN_TOOLS = frozenset(("function", "custom"))
_DECLARATIONS = {"functionDeclarations", "function_declarations"}
_SEARCHES_ON_REQUEST = ("web_search_options", "search_parameters", "plugins")


class _Tool(msgspec.Struct):
    type: str = ""
    max_uses: int | None = None

    @property
    def uses(self) -> int:
        """How often it may run; what makes no sense is as good as nothing."""
        return self.max_uses if self.max_uses is not None and self.max_uses > 0 else UNSTATED_SEARCHES


_tools = msgspec.json.Decoder(list[msgspec.Raw])
_tool = msgspec.json.Decoder(_Tool)
_names = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, RecursionError)


def given(request: ModelRequest, name: str) -> bytes:
    """The JSON of a field; empty where it is absent or null."""
    value = request.fields.get(name)
    raw = b"" if value is None else bytes(value).strip()
    return b"" if raw == b"null" else raw


def searches_bound(request: ModelRequest) -> int:
    """The most searches that the provider runs for a request by itself.

    A server-side tool may say how many (`max_uses`, docs.claude.com/en/docs/agents-and-tools/tool-use/web-search-tool); without
    a number it is taken to be ten.
    """
    bound = sum(UNSTATED_SEARCHES for name in _SEARCHES_ON_REQUEST if given(request, name))
    return bound + sum(tool.uses for tool in server_tools(request))


def server_tools(request: ModelRequest) -> list[_Tool]:
    """Tools that the provider runs by itself, and whose results the model reads: all but plain functions."""
    raw = given(request, "tools")
    if not raw:
        return []
    try:
        return [_read(one) for one in _tools.decode(raw) if not _is_function(one)]
    except _UNREADABLE:
        return [_Tool()]


def _is_function(raw: msgspec.Raw) -> bool:
    """The client runs it: by its type or, where none is given, by its fields (Anthropic's and Gemini's)."""
    kind = _read(raw).type
    if kind:
        return kind in _PLAIN_TOOLS
    try:
        names = _names.decode(raw).keys()
    except _UNREADABLE:
        return False
    return "input_schema" in names or (bool(names) and names <= _DECLARATIONS)


def _read(raw: msgspec.Raw) -> _Tool:
    try:
        return _tool.decode(raw)
    except _UNREADABLE:
        return _Tool()
