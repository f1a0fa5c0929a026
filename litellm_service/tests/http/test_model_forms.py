"""Models in the forms of all three SDKs."""

import pytest
from anthropic.types import ModelInfo
from money import ADMIN, make_key, running, send

pytestmark = pytest.mark.anyio


def asked(secret=ADMIN, **headers):
    return {"authorization": f"Bearer {secret}", **{name.replace("_", "-"): value for name, value in headers.items()}}


async def test_each_sdk_reads_its_own_form(tmp_path):
    async with running(tmp_path) as gateway:
        listed = (await send(gateway, "GET", "/v1/models", asked(anthropic_version="2023-06-01"))).json
        models = [ModelInfo.model_validate(entry) for entry in listed["data"]]
        assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (models[0].id, models[-1].id, False)
        one = (await send(gateway, "GET", "/v1/models/demo/echo", asked(anthropic_version="2023-06-01"))).json
        assert ModelInfo.model_validate(one).id == "demo/echo"
        google = (await send(gateway, "GET", "/v1beta/models", asked())).json["models"]
        assert "models/demo/echo" in [entry["name"] for entry in google]
        one = (await send(gateway, "GET", "/v1beta/models/demo/echo", asked())).json
        assert (one["name"], one["inputTokenLimit"]) == ("models/demo/echo", 128_000)
        assert (await send(gateway, "GET", "/v1beta/models/nobody", asked())).json["error"]["status"] == "NOT_FOUND"


async def test_a_key_for_some_models_sees_only_those_in_every_form(tmp_path):
    key, secret = make_key(models=("demo/echo",))
    async with running(tmp_path, key) as gateway:
        google = (await send(gateway, "GET", "/v1beta/models", asked(secret))).json["models"]
        listed = (await send(gateway, "GET", "/v1/models", asked(secret, anthropic_version="2023-06-01"))).json["data"]
        assert ([entry["name"] for entry in google], [entry["id"] for entry in listed]) == (
            ["models/demo/echo"],
            ["demo/echo"],
        )
        assert (await send(gateway, "GET", "/v1beta/models/demo/slow", asked(secret))).status == 404
