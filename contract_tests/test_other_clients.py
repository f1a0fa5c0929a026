"""Clients that stand on the SDKs, once around: LangChain, LiteLLM, Pydantic AI and `llm`, through the gateway to Anthropic."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from faultmock.text import word_tokens
from prompts import new_marker, prompt
from stack import TOOLS, ApiService, Mock, clean_environment, running_api

MODEL = "anthropic/claude-sonnet-4-5"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    where = {"ANTHROPIC_BASE_URL": mock.url.removesuffix("/v1"), "ANTHROPIC_API_KEY": "sk-test-anthropic"}
    with running_api(tmp_path_factory.mktemp("gateway"), mock.url, None, **where) as running:
        yield running


def ran(program: str, *arguments: str, **environment: str) -> Any:
    """What a client's program printed."""
    command = [sys.executable, "-m", f"clients.{program}", *arguments]
    done = subprocess.run(
        command, cwd=TOOLS, env=clean_environment(environment), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_langchain_answers_streams_and_calls_tools(gateway: ApiService) -> None:
    text = prompt(new_marker(), tokens=6)
    said = ran("langchain", gateway.url, MODEL, text, prompt(new_marker(), tools=1))
    assert said["text"] == said["streamed"] == "".join(word_tokens(6, text))
    assert said["usage"]["output_tokens"] == 6
    assert said["calls"] == [["get_weather", ["city"]]]


def test_litellm_as_a_client_answers_and_streams(gateway: ApiService) -> None:
    text = prompt(new_marker(), tokens=6)
    said = ran("litellm_client", gateway.url, MODEL, text)
    assert said["text"] == said["streamed"] == "".join(word_tokens(6, text))
    assert said["usage"] == 6


def test_pydantic_ai_runs_a_tool_and_answers(gateway: ApiService) -> None:
    said = ran("pydantic", gateway.url, MODEL, prompt(new_marker(), tools=1))
    assert len(said["cities"]) == 1
    assert said["text"] == "The tool said: sunny"


def test_llm_prompts_a_model_of_its_own_list(gateway: ApiService, tmp_path: Any) -> None:
    model = f"- model_id: mine\n  model_name: {MODEL}\n  api_base: {gateway.url}/v1\n  api_key_name: mine\n"
    (tmp_path / "extra-openai-models.yaml").write_text(model)
    text = prompt(new_marker(), tokens=4)
    assert ran("llm_tool", text, LLM_USER_PATH=str(tmp_path))["text"] == "".join(word_tokens(4, text))
