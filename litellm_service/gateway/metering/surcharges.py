"""What a request can make a provider charge besides tokens."""

import msgspec

from gateway.domain.request import ModelRequest

UNSTATED_SEARCHES = 10
_PLAIN_TOOLS = frozenset(("function", "custom"))
_SEARCHES_ON_REQUEST = ("web_search_options", "search_parameters", "plugins")


class _Tool(msgspec.Struct):
    type: str = ""
    max_uses: int | None = None


_tools = msgspec.json.Decoder(list[_Tool])


def searches_bound(request: ModelRequest) -> int:
    """The most searches that the provider runs for a request by itself.

    A server-side tool may say how many (`max_uses`, docs.claude.com/en/docs/agents-and-tools/tool-use/web-search-tool); without
    a number it is taken to be ten.
    """
    fields = request.fields
    bound = sum(UNSTATED_SEARCHES for name in _SEARCHES_ON_REQUEST if name in fields)
    return (
        bound + sum(tool.max_uses or UNSTATED_SEARCHES for tool in server_tools(request))
        if "tools" in fields
        else bound
    )


def server_tools(request: ModelRequest) -> list[_Tool]:
    """Tools that the provider runs by itself, and whose results the model reads: all but plain functions."""
    tools = request.fields.get("tools")
    if tools is None:
        return []
    try:
        return [tool for tool in _tools.decode(tools) if tool.type not in _PLAIN_TOOLS]
    except msgspec.DecodeError:
        return [_Tool()]
