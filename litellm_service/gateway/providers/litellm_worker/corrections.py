"""What LiteLLM does by itself and the gateway must not have, switched off.

Each has a test in tests/worker that fails if a new version of LiteLLM does it again:

- it fetches addresses in a prompt (`url_utils.validate_url` stands before every such request);
- after a connection that broke it sends the request a second time, which may be billed twice
  (`AsyncHTTPHandler.post`);
- it calls every piece of Gemini's streams finished, so that a stream that was cut looks complete
  (`VertexGeminiConfig.process_candidates`): what the vendor said is noted before that.
"""

import logging
import os
from typing import Any, NoReturn

os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", MAX_IMAGE_URL_DOWNLOAD_SIZE_MB="0")
import litellm  # the line above must come first: no network at import
from litellm.litellm_core_utils import url_utils
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import ModelResponseIterator as GeminiStream

__all__ = ["litellm", "set_up", "was_counted", "was_finished"]

_parse_gemini = GeminiStream.chunk_parser
_SAW_THE_END = "gateway_saw_the_end"


def set_up() -> None:
    """Quiet, no network of its own, one request for each call."""
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = False
    litellm.num_retries = 0
    litellm.DEFAULT_MAX_RETRIES = 0  # type: ignore[attr-defined]  # embeddings take 0 for "not said"
    litellm.user_url_validation = True
    url_utils.validate_url = _refuse_to_fetch
    AsyncHTTPHandler.single_connection_post_request = _refuse_a_second_request  # type: ignore[assignment,method-assign]  # it takes anything
    GeminiStream.chunk_parser = _note_the_end  # type: ignore[method-assign]  # of the same shape
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "asyncio", "httpx", "openai"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def was_finished(reply: Any) -> bool:
    """The provider itself said that its answer is finished; LiteLLM says "stop" also after a stream that was cut."""
    if not isinstance(reply, litellm.CustomStreamWrapper):
        return True
    if isinstance(reply.completion_stream, GeminiStream):
        return getattr(reply.completion_stream, _SAW_THE_END, False)
    return bool(reply.received_finish_reason or reply.intermittent_finish_reason)


def was_counted(reply: Any) -> bool:
    """The provider itself gave usage; LiteLLM counts with a tokenizer where it did not."""
    if not isinstance(reply, litellm.CustomStreamWrapper):
        return True
    return any(getattr(chunk, "usage", None) is not None for chunk in reply.chunks)


def _refuse_to_fetch(url: str) -> NoReturn:  # noqa: ARG001  # called by this name
    raise url_utils.SSRFError("URLs are not fetched here; send the content itself as a data: URL.")


async def _refuse_a_second_request(_handler: AsyncHTTPHandler, **_request: object) -> NoReturn:
    """Called while the first request's exception is handled: let that one stand."""
    raise  # noqa: PLE0704  # re-raises the exception that the caller is handling


def _note_the_end(self: GeminiStream, chunk: dict[str, Any]) -> Any:
    if any(candidate.get("finishReason") for candidate in chunk.get("candidates") or ()):
        setattr(self, _SAW_THE_END, True)
    return _parse_gemini(self, chunk)
