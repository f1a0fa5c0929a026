"""`/v1/responses/{id}` and what is under it: what a provider keeps, for those only who had it made.

Source: https://platform.openai.com/docs/api-reference/responses/get
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.errors import InvalidRequest, NotFound
from gateway.http.replying import fresh_id
from gateway.identity import Caller
from gateway.store.questions import StoredResponse
from gateway.store.sqlite.reading import Reader

QUERY = ("include", "after", "before", "limit", "order")


async def owned(reader: Reader, caller: Caller, response_id: str) -> StoredResponse:
    """The response, if this caller had it made; raises `NotFound`, whoever else did."""
    found = await reader.stored_response(response_id)
    if found is None or found.caller != caller.key_id:
        raise NotFound(f"There is no response {response_id[:80]!r} of this key.", param="response_id")
    return found


async def passed_on(request: Request) -> Response:
    """The provider's own answer about a response that it keeps."""
    response_id, state = request.path_params["response_id"], request.app.state
    found = await owned(state.reader, request.scope["caller"], response_id)
    if request.query_params.get("stream") == "true":
        raise InvalidRequest("stream: a kept response is given whole here.", param="stream")
    rest = request.scope["path"].partition("/v1/responses/")[2].partition("/")[2]
    query = "&".join(
        f"{name}={quote(value, safe='')}"
        for name, value in request.query_params.multi_items()
        if name.removesuffix("[]") in QUERY
    )
    path = f"/responses/{quote(response_id, safe='')}{'/' + rest if rest else ''}{'?' + query if query else ''}"
    status, body = await state.ask_provider(found.provider, request.method, path, fresh_id())
    return Response(body, status, media_type="application/json")
