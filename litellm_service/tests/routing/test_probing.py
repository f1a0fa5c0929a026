"""Ejected deployments are asked whether they are back."""

import pytest

from gateway.domain.errors import ProviderUnavailable
from gateway.domain.time import monotonic
from gateway.probing import Probing
from gateway.providers.catalog import Provider
from gateway.providers.deployment import Endpoint
from gateway.providers.transport import Origin
from gateway.routing.names import Names
from gateway.routing.plan import Rules, Way
from gateway.routing.router import Route, Router

pytestmark = pytest.mark.anyio

DOWN = ProviderUnavailable("connection refused", retry_after_s=60)
ORIGIN = Origin("127.0.0.1", 1, tls=False)


def router(wire):
    provider = Provider(name="p", title="A server", source="a test", wire=wire)
    names = Names(
        {"p": Endpoint(provider, ORIGIN, "", b"", (), via_litellm=False)},
        {},
        provider_of=lambda _name: None,
        nearest=lambda _name: [],
        missing={},
    )
    ways = tuple(Way(key=model, deployment=names.deployment(f"p/{model}")) for model in ("a", "b"))
    made = Router(
        names, {"r": Route(ways=ways, rules=Rules(attempts=2))}, retries=0, retry_share=0.1, price_of=lambda _: None
    )
    made.health.note_failure("a", monotonic(), DOWN)
    return made


@pytest.mark.parametrize(
    ("wire", "path"), [("openai", "/models"), ("anthropic", "/v1/models"), ("gemini", "/v1beta/models")]
)
@pytest.mark.parametrize(("status", "is_due"), [(200, True), (401, True), (503, False), (None, False)])
async def test_one_that_answers_is_tried_by_the_next_request(wire, path, status, is_due):
    asked, routed = [], router(wire)

    async def ask(endpoint, method, where):
        asked.append((endpoint.provider.name, method, where))
        if status is None:
            raise DOWN
        return status

    await Probing(routed, ask, 1).once()
    assert asked == [("p", "GET", path)]
    assert routed.health.try_half_open("a", monotonic() + 0.001) is is_due


async def test_while_all_are_well_nobody_is_asked():
    routed = router("openai")
    routed.health.note_success("a", monotonic(), 0.1, 0.1)

    async def ask(endpoint, method, where):
        raise AssertionError

    await Probing(routed, ask, 1).once()
