"""Responses that a provider keeps, with the official SDK: whose they are, and nobody else's."""

import openai
import pytest
from openai import OpenAI

from administrator import ADMIN_KEY, Administrator
from prompts import new_marker, prompt
from stack import ApiService, Mock, post_json

API_ENVIRONMENT = {"GATEWAY_ADMIN_KEY": ADMIN_KEY}


@pytest.fixture(scope="module")
def clients(api: ApiService) -> tuple[OpenAI, OpenAI]:
    office = Administrator(api)
    secrets = [office.send("POST", "/api/keys", {"name": name})["key"] for name in ("one", "two")]
    one, two = (OpenAI(base_url=f"{api.url}/v1", api_key=secret, max_retries=0, timeout=20) for secret in secrets)
    return one, two


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_goes_on_at_the_provider_for_its_own_key_only(
    clients: tuple[OpenAI, OpenAI], mock: Mock, stream: bool
) -> None:
    one, two = clients
    if stream:
        with one.responses.stream(model="gpt-5-mini", input=prompt(new_marker(), tokens=5)) as events:
            first = events.get_final_response()
    else:
        first = one.responses.create(model="gpt-5-mini", input=prompt(new_marker(), tokens=5))
    second = one.responses.create(
        model="gpt-5-mini", input=prompt(new_marker(), tokens=5), previous_response_id=first.id
    )
    assert second.usage is not None
    assert first.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens
    asked = len(mock.calls())
    with pytest.raises(openai.NotFoundError) as refused:
        two.responses.create(model="gpt-5-mini", input=prompt(new_marker()), previous_response_id=first.id)
    assert refused.value.body["param"] == "previous_response_id"  # type: ignore[index]
    assert len(mock.calls()) == asked


def test_only_its_own_key_reads_lists_and_deletes_a_response(clients: tuple[OpenAI, OpenAI]) -> None:
    one, two = clients
    made = one.responses.create(model="gpt-5-mini", input=prompt(new_marker(), tokens=5))
    assert one.responses.retrieve(made.id).output_text == made.output_text
    assert len(one.responses.input_items.list(made.id).data) == 1
    with pytest.raises(openai.BadRequestError, match="Cannot cancel"):
        one.responses.cancel(made.id)
    for attempt in (two.responses.retrieve, two.responses.delete, two.responses.cancel, two.responses.input_items.list):
        with pytest.raises(openai.NotFoundError):
            attempt(made.id)
    one.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        one.responses.retrieve(made.id)


def test_what_is_not_stored_is_nobodys_to_go_on_with(clients: tuple[OpenAI, OpenAI]) -> None:
    one, _ = clients
    made = one.responses.create(model="gpt-5-mini", input=prompt(new_marker()), store=False)
    for name in (made.id, "resp_nobody", "x" * 500):
        with pytest.raises(openai.NotFoundError):
            one.responses.create(model="gpt-5-mini", input=prompt(new_marker()), previous_response_id=name)


def test_answers_in_the_background_are_refused(clients: tuple[OpenAI, OpenAI]) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        clients[0].responses.create(model="gpt-5-mini", input=prompt(new_marker()), background=True)
    assert refused.value.body["param"] == "background"  # type: ignore[index]


def test_a_deployment_of_another_provider_cannot_go_on_with_it(clients: tuple[OpenAI, OpenAI], api: ApiService) -> None:
    made = clients[0].responses.create(model="gpt-5-mini", input=prompt(new_marker()))
    body = {"model": "demo/echo", "input": "x", "previous_response_id": made.id}
    status, answer = post_json(f"{api.url}/v1/responses", body, {"authorization": f"Bearer {clients[0].api_key}"})
    assert (status, answer["error"]["param"]) == (403, "provider")
