"""Whom a request is charged to."""

import pytest

from gateway.domain.errors import NotAllowed
from gateway.domain.key import Key
from gateway.http import chat, openai
from gateway.http.charging import charge, check_may_call
from gateway.identity import Caller

NO_HEADERS: dict[bytes, bytes] = {}


def key(**changes: object) -> Key:
    return Key(id="0" * 16, name="n", **changes)


def seed(**fields: str):
    body = "".join(f', "{name}": "{value}"' for name, value in fields.items())
    return chat.parse(f'{{"model": "demo/echo", "query": "x"{body}}}'.encode(), NO_HEADERS)


def charged(request, of: Key | None) -> tuple[str, str]:
    charge(request, of)
    return request.application_id, request.user_id


@pytest.mark.parametrize(
    ("given", "of", "expected"),
    [
        ({}, None, ("default", "anonymous")),
        ({"application_id": "a", "user_id": "u"}, None, ("a", "u")),
        ({}, key(), ("default", "anonymous")),
        ({"application_id": "a", "user_id": "u"}, key(), ("a", "u")),
        ({}, key(application_id="own", user_id="me"), ("own", "me")),
        ({"application_id": "own", "user_id": "me"}, key(application_id="own", user_id="me"), ("own", "me")),
        ({"user_id": "u"}, key(application_id="own", user_id="me", may_label_users=True), ("own", "u")),
        ({"application_id": "a"}, key(application_id="own", may_label_applications=True), ("a", "anonymous")),
    ],
)
def test_names_come_from_the_request_where_the_key_lets_it_say(given, of, expected):
    assert charged(seed(**given), of) == expected


@pytest.mark.parametrize("given", [{"user_id": "u"}, {"application_id": "a"}])
def test_a_key_may_not_charge_to_others(given):
    with pytest.raises(NotAllowed) as refused:
        charge(seed(**given), key(application_id="own", user_id="me"))
    assert refused.value.param == next(iter(given))


def test_the_user_field_that_tools_send_of_their_own_accord_is_ignored_rather_than_refused():
    body = b'{"model": "demo/echo", "messages": [{"role": "user", "content": "x"}], "user": "device-7"}'
    assert charged(openai.parse(body, NO_HEADERS), key(user_id="me")) == ("default", "me")
    assert charged(openai.parse(body, NO_HEADERS), key()) == ("default", "device-7")
    with pytest.raises(NotAllowed):
        charge(openai.parse(body, {b"x-user-id": b"bob"}), key(user_id="me"))


def test_a_viewer_may_not_call_and_a_key_may_be_limited_to_routes():
    with pytest.raises(NotAllowed):
        check_may_call(Caller("v", "viewer", key(role="viewer")), "/api/chat")
    limited = Caller("k", "member", key(routes=("/v1/*",)))
    check_may_call(limited, "/v1/chat/completions")
    with pytest.raises(NotAllowed):
        check_may_call(limited, "/api/chat")
