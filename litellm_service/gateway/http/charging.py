"""Whom a request is charged to, and whether its key may ask for that."""

from gateway.domain.errors import NotAllowed
from gateway.domain.key import Key
from gateway.domain.request import ModelRequest
from gateway.identity import Caller

DEFAULT_APPLICATION = "default"
DEFAULT_USER = "anonymous"


def check_may_call(caller: Caller, path: str) -> None:
    """Raises `NotAllowed` for a key that may read only, or may not use this route."""
    if caller.role == "viewer":
        raise NotAllowed("This key may read reports, but not call models. Ask for a key of the role member.")
    check_route(caller, path)


def check_route(caller: Caller, path: str) -> None:
    """Raises `NotAllowed` for a key that is limited to other routes."""
    if caller.key is not None and not caller.key.allows_route(path):
        raise NotAllowed(f"This key may not use {path}; it may use: {', '.join(caller.key.routes)}.")


def charge(request: ModelRequest, key: Key | None) -> None:
    """Set the application and the user: as the request names them, if its key may do that; else the key's own."""
    own_application, own_user = (key.application_id, key.user_id) if key is not None else (None, None)
    if key is not None:
        if not key.may_label_applications and own_application is not None:
            _refuse_other("application_id", request.application_id, own_application)
        if not key.may_label_users and own_user is not None:
            if request.user_is_hint:
                request.user_id = own_user
            _refuse_other("user_id", request.user_id, own_user)
    request.application_id = request.application_id or own_application or DEFAULT_APPLICATION
    request.user_id = request.user_id or own_user or DEFAULT_USER


def _refuse_other(param: str, named: str, own: str) -> None:
    if named and named != own:
        raise NotAllowed(
            f"{param}: this key belongs to {own!r} and may not charge requests to {named!r}. Leave {param} out.",
            param=param,
        )
