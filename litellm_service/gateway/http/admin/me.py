"""`/api/me`, `/api/providers` and `/api/routes`: what the caller may do, what it could call, and where that leads."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.administration.views import key_standing
from gateway.http.admin.wire import administration, answer
from gateway.identity import Caller


async def me(request: Request) -> Response:
    """The caller's own rights, budgets and limits."""
    caller: Caller = request.scope["caller"]
    office, state = administration(request), request.app.state
    key = caller.key
    return answer(
        {
            "key_id": caller.key_id,
            "role": caller.role,
            "open_mode": state.open_mode,
            **key_standing(key, caller.key_id, office.budgets(), office.limits(), office.standing()),
            "store_content": state.store_content and (key is None or key.store_content),
        }
    )


async def providers(request: Request) -> Response:
    """Every provider that is known: whether it can be called, and if not, why."""
    return answer({"providers": request.app.state.providers()})


async def routes(request: Request) -> Response:
    """Every route, or with `model` where requests for that name go; deployments come with their health."""
    state, model = request.app.state, request.query_params.get("model")
    if model is None:
        return answer({"routes": state.routes()})
    return answer({"routes": [state.explain(model)]})
