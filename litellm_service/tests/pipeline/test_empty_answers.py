"""An answer without words and without usage is charged by its provider's policy, and the row says so."""

import sqlite3

import pytest
from money import ask, running
from vendor import vendor

pytestmark = pytest.mark.anyio

EMPTY = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ""}}]}


@pytest.mark.parametrize(
    ("model", "settings", "source", "estimated"),
    [
        ("openai/gpt-4o", "OPENAI", "estimated", True),
        ("ollama/llama3", "OLLAMA", "none", False),
    ],
)
async def test_an_empty_answer_costs_what_the_provider_charges_for_nothing(
    tmp_path, model, settings, source, estimated
):
    async with vendor(**EMPTY, usage=None) as address:
        given = {f"{settings}_API_KEY": "sk-x", f"{settings}_BASE_URL": address}
        async with running(tmp_path, **given) as gateway:
            assert (await ask(gateway, model=model)).status == 200
    with sqlite3.connect(tmp_path / "u.db") as connection:
        query = "SELECT cost_nano_usd, cost_source, total_tokens FROM requests"
        ((cost, found, tokens),) = connection.execute(query)
    assert found == source
    assert (cost > 0, tokens > 0) == (estimated, estimated)


async def test_an_empty_answer_with_usage_costs_what_the_usage_says(tmp_path):
    usage = {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10}
    async with (
        vendor(**EMPTY, usage=usage) as address,
        running(tmp_path, OPENAI_API_KEY="sk-x", OPENAI_BASE_URL=address) as gateway,
    ):
        await ask(gateway, model="openai/gpt-4o")
    with sqlite3.connect(tmp_path / "u.db") as connection:
        assert connection.execute("SELECT cost_nano_usd, cost_source FROM requests").fetchall() == [
            (25_000, "computed")
        ]
