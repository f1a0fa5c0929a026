"""Who gets in: the matrix of routes and credentials, generated from the service's own description."""

from collections.abc import Iterator

import pytest

from prompts import new_marker
from stack import ApiService, Mock, get_json, post_json, running_api

KEY = "sk-Access-Test-Key-000042"
CARRIERS = ({"Authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}, {"x-goog-api-key": KEY})
STRANGERS = (
    {},
    {"Authorization": "Bearer wrong"},
    {"Authorization": KEY},
    {"x-api-key": KEY + "x"},
    {"x-goog-api-key": ""},
    {"Cookie": f"key={KEY}"},
)
OPEN = {"/health", "/health/live", "/health/ready", "/openapi.json", "/docs"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    with running_api(tmp_path_factory.mktemp("access"), mock.url, None, GATEWAY_ADMIN_KEY=KEY) as running:
        yield running


def call(service: ApiService, method: str, path: str, headers: dict[str, str]) -> tuple[int, object]:
    url = service.url + path.replace("{user_id}", "u").replace("{request_id}", new_marker()).replace(
        "{model}", "demo/echo"
    )
    if method == "GET":
        return get_json(url, headers) if path != "/docs" else (200, None)
    body = {"model": "demo/echo", "messages": [{"role": "user", "content": "x"}]}
    return post_json(url, body, headers)


def described(service: ApiService) -> list[tuple[str, str]]:
    paths = get_json(f"{service.url}/openapi.json")[1]["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_nothing_but_health_and_the_description_is_open(service):
    for method, path in described(service):
        for headers in STRANGERS:
            status, body = call(service, method, path, headers)
            assert (status == 401) is (path not in OPEN), (method, path, headers, status)
            if status == 401:
                del body["error"]["request_id"]
                assert body["error"]["code"] == "unauthenticated"
                assert KEY not in str(body)


def test_every_carrier_opens_every_route(service):
    for method, path in described(service):
        for headers in CARRIERS:
            status, body = call(service, method, path, headers)
            assert status in ({404} if "{request_id}" in path else {200}), (method, path, status, body)


@pytest.mark.parametrize(
    "path",
    ["//api/stats", "/api//stats", "/api/stats/", "/API/STATS", "/api/stats%2f", "/health/../api/stats", "/docs/../api/stats",
     "/api/%73tats", "/health?/api/stats", "/api/stats;x=1"],
)  # fmt: skip
def test_no_odd_spelling_of_a_path_opens_it(service, path):
    status, body = get_json(service.url + path)
    assert status in {401, 404} or "summary" not in body
