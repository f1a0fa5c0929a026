"""Responses that the mock keeps, as the Responses API does."""

from faultmock.answering import Answer
from faultmock.pieces import Json
from faultmock.wires.responses import items_of, whole_body


class Memory:
    """Responses by id; those that went before are added to a request that names one."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[list[Json], Json]] = {}

    def unfolded(self, body: Json) -> Json:
        """The request with the items of the responses before; raises `ValueError` for an unknown one."""
        name = body.get("previous_response_id")
        if not name:
            return body
        if name not in self._kept:
            raise ValueError(f"Previous response with id '{name}' not found.")
        items, response = self._kept[name]
        return {**body, "earlier_items": [*items, *response["output"]]}

    def keep(self, answer: Answer) -> None:
        """Keep a response unless its request says otherwise."""
        asked = answer.ask.body
        if asked.get("store", True):
            items, response = [*asked.get("earlier_items", ()), *items_of(asked["input"])], whole_body(answer)
            self._kept[response["id"]] = (items, response)

    def answer(self, method: str, path: str) -> tuple[int, Json]:
        """Answer a request about a kept response: get it, list its input, cancel or delete it."""
        name, _, verb = path.rpartition("/responses/")[2].partition("/")
        if name not in self._kept:
            return 404, _not_found(name)
        items, response = self._kept[name]
        if (method, verb) == ("DELETE", ""):
            del self._kept[name]
            return 200, {"id": name, "object": "response.deleted", "deleted": True}
        if (method, verb) == ("POST", "cancel"):
            return self._cancelled(items, response)
        if (method, verb) == ("GET", "input_items"):
            ids = [{"id": f"item_{i}", "type": "message", **item} for i, item in enumerate(items)]
            return 200, {
                "object": "list",
                "data": ids,
                "first_id": "item_0",
                "last_id": ids[-1]["id"],
                "has_more": False,
            }
        return (200, response) if (method, verb) == ("GET", "") else (404, _not_found(path))

    def _cancelled(self, items: list[Json], response: Json) -> tuple[int, Json]:
        if not response["background"]:
            return 400, _refusal("Cannot cancel a synchronous response.")
        cancelled = {**response, "status": "cancelled"}
        self._kept[response["id"]] = (items, cancelled)
        return 200, cancelled


def _not_found(name: str) -> Json:
    return _refusal(f"Response with id '{name}' not found.")


def _refusal(message: str) -> Json:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
