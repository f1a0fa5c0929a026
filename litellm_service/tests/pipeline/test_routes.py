"""Names that several deployments answer to, on a gateway that runs in this process."""

import sqlite3

import pytest
from money import ADMIN, USD, ask, make_budget, make_key, running

from gateway.domain.errors import SettingsError
from gateway.domain.scope import Scope

pytestmark = pytest.mark.anyio

FIRST_FAILS = """
[routes.careful]
deployments = ["demo/error", "demo/echo"]
"""


def configured(folder, text):
    path = folder / "gateway.toml"
    path.write_text(text)
    return {"GATEWAY_CONFIG": str(path)}


def rows(folder, statement):
    with sqlite3.connect(folder / "u.db") as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_that_another_deployment_answers_is_no_error(tmp_path, stream):
    async with running(tmp_path, **configured(tmp_path, FIRST_FAILS)) as gateway:
        reply = await ask(gateway, model="careful", stream=stream)
        assert reply.status == 200
        assert (reply.headers["x-gateway-model"], reply.headers["x-gateway-attempts"]) == ("demo/echo", "2")
    assert rows(tmp_path, "SELECT attempt, final, http_status FROM ledger ORDER BY attempt") == [
        (0, 0, 503),
        (1, 1, 200),
    ]
    assert rows(tmp_path, "SELECT http_status FROM requests") == [(200,)]


async def test_when_all_fail_the_last_error_is_told(tmp_path):
    text = '[routes.hopeless]\ndeployments = ["demo/error"]\nfallbacks = ["demo/error"]\n'
    async with running(tmp_path, **configured(tmp_path, text)) as gateway:
        assert (await ask(gateway, model="hopeless")).status == 503
    assert [row[0] for row in rows(tmp_path, "SELECT final FROM ledger")] == [1]


async def test_an_alias_may_lead_to_a_route_and_a_route_may_fall_back_to_one(tmp_path):
    text = """
        [aliases]
        best = "outer"
        [routes.outer]
        deployments = ["demo/error"]
        fallbacks = ["inner"]
        [routes.inner]
        deployments = ["demo/error", "demo/priced"]
    """
    async with running(tmp_path, **configured(tmp_path, text)) as gateway:
        reply = await ask(gateway, model="best")
        assert (reply.status, reply.headers["x-gateway-model"]) == (200, "demo/priced")


async def test_too_little_money_for_one_goes_to_a_cheaper_one(tmp_path):
    text = '[routes.thrifty]\ndeployments = ["demo/priced"]\non_budget = ["demo/echo"]\n'
    budget = make_budget(1, Scope("user", "bob"))
    async with running(tmp_path, budget, **configured(tmp_path, text)) as gateway:
        headers = {"x-user-id": "bob"}
        assert (await ask(gateway, model="demo/priced", headers=headers)).status == 402
        reply = await ask(gateway, model="thrifty", headers=headers)
        assert (reply.status, reply.headers["x-gateway-model"], reply.headers["x-gateway-attempts"]) == (
            200,
            "demo/echo",
            "1",
        )
        assert gateway.store.open_holds() == []


async def test_a_key_for_a_route_may_use_what_stands_behind_it(tmp_path):
    key, secret = make_key(models=("careful",))
    async with running(tmp_path, key, **configured(tmp_path, FIRST_FAILS)) as gateway:
        assert (await ask(gateway, secret, model="careful")).status == 200
        assert (await ask(gateway, secret, model="demo/echo")).status == 403


@pytest.mark.parametrize("headers", [{}, {"x-gateway-models": "demo/priced"}])
async def test_a_request_may_not_go_on_with_models_that_its_key_may_not_call(tmp_path, headers):
    key, secret = make_key(models=("demo/error", "demo/echo"))
    async with running(tmp_path, key) as gateway:
        named = {} if headers else {"models": ["demo/priced"]}
        assert (await ask(gateway, secret, model="demo/error", headers=headers, **named)).status in {403, 503}
        reply = await ask(gateway, secret, model="demo/error", models=["demo/priced", "demo/echo"])
        assert (reply.status, reply.headers["x-gateway-model"]) == (200, "demo/echo")
    assert {row[0] for row in rows(tmp_path, "SELECT cost_nano_usd FROM ledger")} == {0}


async def test_a_request_may_name_other_models_to_go_on_with(tmp_path):
    async with running(tmp_path) as gateway:
        for steering in ({"models": ["openai/gpt-4o", "demo/echo"]}, {"headers": {"x-gateway-models": "demo/echo"}}):
            reply = await ask(gateway, model="demo/error", **steering)
            assert reply.status == 200, reply.body
            assert (reply.status, reply.headers["x-gateway-model"]) == (200, "demo/echo")


@pytest.mark.parametrize(
    ("steering", "model"),
    [
        ({"x-gateway-order": "second"}, "demo/priced"),
        ({"x-gateway-only": "second"}, "demo/priced"),
        ({"x-gateway-ignore": "demo/echo"}, "demo/priced"),
        ({"x-gateway-max-price": "0.5"}, "demo/echo"),
        ({"x-gateway-order": "nobody"}, "demo/echo"),
    ],
)
async def test_headers_choose_among_the_deployments_of_a_route(tmp_path, steering, model):
    text = """
        [deployments.second]
        model = "demo/priced"
        [routes.two]
        deployments = ["demo/echo", "second"]
    """
    async with running(tmp_path, **configured(tmp_path, text)) as gateway:
        reply = await ask(gateway, model="two", headers=steering)
        assert (reply.status, reply.headers["x-gateway-model"]) == (200, model)


@pytest.mark.parametrize(
    ("steering", "status"),
    [({"x-gateway-only": "elsewhere"}, 403), ({"x-gateway-max-price": "much"}, 400), ({"x-gateway-only": " , "}, 400)],
)
async def test_steering_that_leaves_nothing_or_makes_no_sense_is_refused(tmp_path, steering, status):
    async with running(tmp_path) as gateway:
        assert (await ask(gateway, model="demo/echo", headers=steering)).status == status


async def test_a_deployment_at_its_own_limit_is_passed_over(tmp_path):
    text = """
        [deployments.narrow]
        model = "demo/priced"
        requests_per_minute = 2
        [routes.both]
        deployments = ["narrow", "demo/echo"]
        [routes.only]
        deployments = ["narrow"]
    """
    async with running(tmp_path, **configured(tmp_path, text)) as gateway:
        answered = [(await ask(gateway, model="both")).headers["x-gateway-model"] for _ in range(4)]
        assert answered == ["demo/priced", "demo/priced", "demo/echo", "demo/echo"]
        refused = await ask(gateway, model="only")
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")


async def test_a_budget_counts_what_every_attempt_costs(tmp_path):
    budget = make_budget(USD, Scope("user", "bob"))
    text = '[routes.r]\ndeployments = ["demo/error", "demo/priced"]\n'
    async with running(tmp_path, budget, **configured(tmp_path, text)) as gateway:
        assert (await ask(gateway, model="r", headers={"x-user-id": "bob"}, max_tokens=5)).status == 200
        (account,) = gateway.store.accounts()
        assert account.held_nano_usd == 0
        assert account.spent_nano_usd > 0


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('[routes.r]\ndeployments = ["demo/echo"]\nstrategy = "best"\n', "strategy"),
        ("[routes.r]\ndeployments = []\n", "routes.r.deployments"),
        ('[routes.r]\ndeployments = ["no-such-model"]\n', "routes.r.deployments"),
        ('[routes.r]\ndeployments = ["demo/echo"]\nfallbacks = ["no-such-model"]\n', "routes.r.fallbacks"),
        ('[routes.r]\ndeployments = ["openai/gpt-4o"]\n', "routes.r"),
        ('[deployments.d]\nmodel = "demo/echo"\nweight = 0\n', "deployments.d.weight"),
        ('[deployments.d]\nmodel = "no-such-model"\n', "deployments.d.model"),
        ('[aliases]\nr = "demo/echo"\n[routes.r]\ndeployments = ["demo/echo"]\n', "routes.r"),
        ('[providers.mine]\nlike = "nobody"\n', "providers.mine.like"),
        ("[routing]\ngateway_retries = 50\n", "GATEWAY_RETRIES"),
    ],
)
async def test_a_route_that_makes_no_sense_is_named_at_start(tmp_path, text, names):
    with pytest.raises(SettingsError, match=names):
        async with running(tmp_path, admin_key=ADMIN, **configured(tmp_path, text)):
            pass
