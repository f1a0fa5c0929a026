"""`/metrics` for Prometheus."""

from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def metrics(request: Request) -> Response:
    """Counts since the start, and gauges of this moment."""
    return Response(request.app.state.metrics(), media_type=MEDIA_TYPE)
