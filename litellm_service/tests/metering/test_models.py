"""The compact model map: what it knows and by which names."""

import pytest

from gateway.metering.models import DEMO_MODELS, ModelMap
from gateway.providers.catalog import Catalog


@pytest.fixture(scope="module")
def model_map() -> ModelMap:
    return ModelMap.load()


@pytest.mark.parametrize(
    ("bare", "provider"),
    [
        ("gpt-4o", "openai"),
        ("gpt-3.5-turbo", "openai"),
        ("o3", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("gemini-2.5-pro", "google"),
        ("deepseek-chat", "deepseek"),
        ("mistral-large-latest", "mistral"),
        ("qwen-max", "dashscope"),
        ("no-such-model", None),
        ("", None),
        ("llama-3.3-70b", None),
    ],
)
def test_a_bare_name_belongs_to_the_company_that_makes_the_model(
    model_map: ModelMap, bare: str, provider: str | None
) -> None:
    assert model_map.provider_of(bare) == provider


@pytest.mark.parametrize(
    ("provider", "name", "key"),
    [
        ("openai", "gpt-4o", "gpt-4o"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc123", "ft:gpt-4o-2024-08-06"),
        ("google", "gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("google", "models/gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("groq", "openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
        ("mistral", "mistral-large-latest", "mistral/mistral-large-latest"),
        ("ollama", "llama3", "ollama/llama3"),
        ("demo", "echo", "demo/echo"),
    ],
)
def test_a_model_is_found_by_the_name_its_provider_uses(
    model_map: ModelMap, provider: str, name: str, key: str
) -> None:
    info = model_map.find(provider, name)
    assert info is not None
    assert (info.key, info.name, info.provider, info.mode) == (key, name, provider, "chat")


@pytest.mark.parametrize(
    ("provider", "name"),
    [("openai", "claude-sonnet-4-5"), ("groq", "gpt-4o"), ("nobody", "gpt-4o"), ("demo", "gpt-4o")],
)
def test_a_model_of_another_provider_is_not_found(model_map: ModelMap, provider: str, name: str) -> None:
    assert model_map.find(provider, name) is None


def test_a_model_says_its_limits_and_abilities(model_map: ModelMap) -> None:
    info = model_map.find("openai", "gpt-4o")
    assert info is not None
    assert info.canonical == "openai/gpt-4o"
    assert info.context_window == 128_000
    assert info.max_output_tokens == 16_384
    assert {"vision", "tools", "json_schema", "prompt_caching"} <= set(info.abilities)


def test_chat_models_are_each_listed_once_and_can_be_found_by_their_name(model_map: ModelMap) -> None:
    for provider in Catalog.load().providers:
        models = model_map.chat_models(provider)
        names = [info.name for info in models]
        assert names == sorted(set(names))
        assert all(model_map.find(provider, info.name) == info for info in models)
        assert all(info.mode == "chat" for info in models)
    assert [info.name for info in model_map.chat_models("demo")] == sorted(DEMO_MODELS)
    assert model_map.chat_models("nobody") == []


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("gpt-4oo", "openai/gpt-4o"),
        ("openai/gpt4o", "openai/gpt-4o"),
        ("gemini/gemini-2.5-por", "google/gemini-2.5-pro"),
        ("claude-sonet-4-5", "anthropic/claude-sonnet-4-5"),
        ("demo/ecko", "demo/echo"),
        ("gpt-oss-120", "groq/openai/gpt-oss-120b"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_nearest(model_map: ModelMap, asked: str, nearest: str) -> None:
    assert model_map.nearest(asked)[0] == nearest


@pytest.mark.parametrize("asked", ["", "/", "x" * 100_000, "\x00", "🍕" * 50])
def test_a_name_like_no_other_has_no_nearest(model_map: ModelMap, asked: str) -> None:
    assert model_map.nearest(asked) == []


def test_the_map_says_which_litellm_it_is_from(model_map: ModelMap) -> None:
    assert model_map.version.startswith("litellm 1.")
    assert len(model_map.date) == len("2026-01-01")
