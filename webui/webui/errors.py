"""What the console itself refuses, as JSON in the API's own form."""

import json

from starlette.responses import Response
from starlette.types import Send


class Refusal(Exception):
    """A request that is not passed on; `message` says what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        """`{"error": {"message", "type", "code", "param", "request_id"}}`."""
        error = {"message": self.message, "type": "webui_error", "code": self.code, "param": None, "request_id": None}
        body = json.dumps({"error": error}, ensure_ascii=False)
        return Response(body, self.status, {"cache-control": "no-store"}, "application/json")


async def send_refusal(refusal: Refusal, send: Send) -> None:
    """Answer with a refusal."""
    response = refusal.response()
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": bytes(response.body)})
