"""Tools that only one provider runs, in requests that another one answers."""

import msgspec
import pytest

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest
from gateway.domain.request import ModelRequest
from gateway.providers.calls import Calls
from gateway.providers.catalog import Catalog
from gateway.providers.deployment import Deployment, Endpoint

GROUP = {"type": "namespace", "name": "agents", "tools": []}
SEARCH = {"type": "web_search"}
RUN = {"type": "function", "name": "run", "parameters": {"type": "object"}}
CLAUDE = Deployment(
    Endpoint(Catalog.load().providers["anthropic"], None, "", b"", (), via_litellm=False),
    "anthropic/claude-sonnet-4-5",
    "claude-sonnet-4-5",
)


def asked(**body: object) -> ModelRequest:
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in {"input": "x", **body}.items()}
    return ModelRequest(
        operation=Operation.CHAT, wire="responses", model="m", stream=False, fields=fields, size=100, query="x", messages=None,
        application_id="", user_id="",
    )  # fmt: skip


def test_beside_functions_they_are_left_out_and_listed():
    call = Calls().call(asked(tools=[RUN, GROUP, SEARCH]), CLAUDE, None)
    assert call.dropped == ("tools[1].type", "tools[2].type")
    assert [tool["name"] for tool in msgspec.json.decode(call.body)["tools"]] == ["run"]


@pytest.mark.parametrize("tools", [[SEARCH], [GROUP, SEARCH]])
def test_by_themselves_they_are_refused_by_name(tools):
    with pytest.raises(InvalidRequest) as refused:
        Calls().call(asked(tools=tools), CLAUDE, None)
    assert refused.value.param == "tools[0].type"


def test_whoever_wants_nothing_dropped_is_told():
    with pytest.raises(InvalidRequest):
        Calls(drops_harmless=False).call(asked(tools=[RUN, SEARCH]), CLAUDE, None)
