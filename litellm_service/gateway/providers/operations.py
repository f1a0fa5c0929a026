"""What is asked of a provider beside chat: where, by whom, how, and how its answer is read.

Only the OpenAI wire has these routes (https://platform.openai.com/docs/api-reference); Google offers embeddings on it
(https://ai.google.dev/gemini-api/docs/openai), with the key as a Bearer token. Rerank is Cohere's and Jina's, as
compatible servers have it beside the others (https://docs.cohere.com/reference/rerank, https://jina.ai/reranker).
Anthropic counts tokens (https://docs.claude.com/en/api/messages-count-tokens).
"""

import msgspec

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest
from gateway.domain.request import ModelRequest
from gateway.providers.deployment import Deployment
from gateway.wires import completions, passing, plain
from gateway.wires.codec import Decoder

# What the route allows an answer where nobody says (platform.openai.com/docs/api-reference/completions/create).
UNSTATED_COMPLETION_TOKENS = 16
TITLES = {
    Operation.EMBEDDINGS: "embeddings",
    Operation.COMPLETIONS: "legacy completions",
    Operation.IMAGES: "image generation",
    Operation.SPEECH: "speech",
    Operation.TRANSCRIPTION: "transcription",
    Operation.TRANSLATION: "translation of recordings",
    Operation.MODERATIONS: "moderation",
    Operation.RERANK: "reranking",
}
_PATHS = {
    Operation.EMBEDDINGS: "/embeddings",
    Operation.COMPLETIONS: "/completions",
    Operation.IMAGES: "/images/generations",
    Operation.SPEECH: "/audio/speech",
    Operation.TRANSCRIPTION: "/audio/transcriptions",
    Operation.TRANSLATION: "/audio/translations",
    Operation.MODERATIONS: "/moderations",
    Operation.RERANK: "/rerank",
}
COUNT_PATH = "/v1/messages/count_tokens"
_GOOGLE_PATH = "/v1beta/openai"
_VIA_LITELLM = frozenset((Operation.EMBEDDINGS, Operation.RERANK))
_JSON_LINE = b"content-type: application/json"
_GOOGLE_KEY_LINE = b"x-goog-api-key: "
_BEARER_LINE = b"authorization: Bearer "
_WORDS = frozenset((b'"text"', b'"srt"', b'"vtt"'))


def target(request: ModelRequest, deployment: Deployment) -> bytes:
    """The path of the call; raises `InvalidRequest` where the provider has no such route."""
    endpoint, operation = deployment.endpoint, request.operation
    path = _PATHS.get(operation)
    if path is None or not _offers(deployment, operation):
        raise InvalidRequest(
            f"{deployment.provider.title} has no {TITLES[operation]} here; choose a model of a provider that has.",
            param="model",
        )
    between = _GOOGLE_PATH if endpoint.wires[0] == "gemini" else ""
    return f"{endpoint.path}{between}{path}".encode()


def _offers(deployment: Deployment, operation: Operation) -> bool:
    endpoint = deployment.endpoint
    if endpoint.provider.wire == "demo":
        return operation is Operation.EMBEDDINGS
    if endpoint.via_litellm:
        return operation in _VIA_LITELLM
    if endpoint.wires[0] == "gemini":
        return operation is Operation.EMBEDDINGS
    return endpoint.wires[0] == "openai"


def head(request: ModelRequest, deployment: Deployment) -> bytes | None:
    """The lines of the call's head where they are not the endpoint's usual ones."""
    lines = deployment.endpoint.headers
    if request.upload is not None:
        return lines.replace(_JSON_LINE, b"content-type: " + request.upload.content_type, 1)
    if deployment.endpoint.wires[0] == "gemini":
        return lines.replace(_GOOGLE_KEY_LINE, _BEARER_LINE, 1)
    return None


def body(request: ModelRequest, deployment: Deployment, output_limit: int | None) -> bytes:
    """As it came, but for the model's name; a completion's usage is asked for, and its length limited where it must be."""
    model = deployment.wire_model
    if request.upload is not None:
        return request.upload.naming(model)
    is_completion = request.operation is Operation.COMPLETIONS
    limit = None
    if is_completion and output_limit is not None:
        limit = ("max_tokens", output_limit)
    return passing.openai(request, model, ask_for_usage=is_completion and deployment.asks_for_usage, output_limit=limit)


def decoder(request: ModelRequest) -> Decoder:
    """What reads the answer."""
    if request.operation is Operation.COMPLETIONS:
        return completions.Decoder(request.choices)
    if request.upload is not None and bytes(request.fields.get("response_format", msgspec.Raw())) in _WORDS:
        return plain.TextDecoder()
    has_images = request.operation is Operation.IMAGES
    return plain.Decoder(has_images=has_images, answers=request.choices if has_images else 1)
