"""The table of providers."""

import re
from urllib.parse import urlsplit

import pytest

from gateway.metering.models import ModelMap
from gateway.providers.catalog import Catalog, Provider

ROWS = list(Catalog.load().providers.values())


@pytest.fixture(params=ROWS, ids=lambda row: row.name)
def row(request: pytest.FixtureRequest) -> Provider:
    provider: Provider = request.param
    return provider


def test_names_and_aliases_are_each_used_once() -> None:
    prefixes = [prefix for row in ROWS for prefix in row.prefixes]
    assert len(prefixes) == len(set(prefixes))
    assert all(re.fullmatch(r"[a-z0-9_]+", prefix) for prefix in prefixes)


def test_every_alias_leads_to_its_provider() -> None:
    catalog = Catalog.load()
    for prefix, name in [("gemini", "google"), ("google", "google"), ("together", "together_ai"), ("openai", "openai")]:
        found = catalog.by_prefix(prefix)
        assert found is not None
        assert found.name == name
    assert catalog.by_prefix("nobody") is None


def test_litellms_own_prefix_is_understood(row: Provider) -> None:
    if row.litellm_prefix != "custom_openai":  # LiteLLM has no prefix of its own for it
        found = Catalog.load().by_prefix(row.litellm_prefix)
        assert found is not None
        assert found.name == row.name


def test_a_provider_beyond_this_machine_is_reached_by_https(row: Provider) -> None:
    url = urlsplit(row.base_url)
    if row.wire == "demo":
        assert not row.base_url
    elif row.local:
        assert url.hostname == "localhost"
    elif row.base_url or not row.default_path:
        assert url.scheme == "https"
    assert not row.base_url.endswith("/")


def test_variables_look_like_variables(row: Provider) -> None:
    names = (*row.key_variables, row.base_url_variable)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", name) for name in names)
    assert row.base_url_variable.endswith("_BASE_URL")


def test_a_provider_needs_a_key_unless_it_is_local_or_the_demo(row: Provider) -> None:
    assert row.key_optional == (row.local or row.wire == "demo")
    assert bool(row.key_variables) == (row.wire != "demo")
    assert row.key_variable == (row.key_variables[0] if row.key_variables else None)


def test_variables_belong_to_one_provider_each() -> None:
    names = [name for row in ROWS for name in (*row.key_variables, row.base_url_variable)]
    assert len(names) == len(set(names))


def test_facts_have_a_source(row: Provider) -> None:
    assert row.source.startswith("https://") or row.wire == "demo"


def test_a_provider_through_litellm_counts_as_litellm_does(row: Provider) -> None:
    assert (row.usage_rule == "litellm") == (row.wire == "litellm")


def test_the_usual_providers_of_the_seed_have_their_usual_variables() -> None:
    providers = Catalog.load().providers
    expected = {"openai": "OPENAI", "anthropic": "ANTHROPIC", "google": "GOOGLE", "groq": "GROQ"}
    assert {name: providers[name].key_variable for name in expected} == {
        name: f"{stem}_API_KEY" for name, stem in expected.items()
    }
    assert "GEMINI_API_KEY" in providers["google"].key_variables


def test_the_map_knows_models_of_most_providers() -> None:
    model_map = ModelMap.load()
    unknown = [row.name for row in ROWS if not row.local and not model_map.chat_models(row.name)]
    assert set(unknown) <= {
        *("openrouter", "nvidia_nim", "github", "huggingface", "aiml"),
        *("bigmodel", "chutes", "siliconflow", "upstage"),
    }
