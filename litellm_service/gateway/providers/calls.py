"""From a request and a deployment to what is sent: the same wire passes through, another is written anew."""

from collections.abc import Callable, Iterable

import msgspec

from gateway.domain.errors import InvalidRequest
from gateway.domain.request import ModelRequest, WireName
from gateway.providers.deployment import Deployment
from gateway.wires import passing
from gateway.wires.codec import Decoder, Written
from gateway.wires.neutral import Prompt, Unsaid
from gateway.wires.openai_chat import answer_in as openai_answer

# What a wire demands of every call; a client of the same wire brings it along.
HEADERS: dict[WireName, tuple[tuple[bytes, bytes], ...]] = {"anthropic": ((b"anthropic-version", b"2023-06-01"),)}


class Call(msgspec.Struct, kw_only=True, frozen=True):
    """One call of an upstream: `wire` is what it speaks, `dropped` what the client asked for and it cannot say."""

    wire: WireName
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    decoder: Decoder
    is_translated: bool
    dropped: tuple[str, ...] = ()


class Calls:
    """Makes calls. `drops_harmless`: what an upstream cannot say and nobody misses is left out; else it is refused by name."""

    def __init__(self, *, drops_harmless: bool = True) -> None:
        self._drops_harmless = drops_harmless

    def call(self, request: ModelRequest, deployment: Deployment, output_limit: int | None) -> Call:
        """Raises `InvalidRequest` for what the deployment's wire has no word for.

        `output_limit`: tokens that the gateway itself allows the answer, where the client does not say.
        """
        wire = deployment.wire_for(request.wire)
        same = wire == request.wire
        dropped: tuple[str, ...] = ()
        if same:
            body = PASS[wire](request, deployment, output_limit)
        else:
            prompt = read(request)
            if output_limit is not None:
                prompt.output_limit = output_limit
            written = WRITE[wire](prompt, deployment)
            body = written.body
            dropped = self._dropped([*prompt.unsaid, *written.unsaid], deployment)
        return Call(
            wire=wire,
            target=deployment.target(wire, stream=request.stream),
            headers=request.headers if same else HEADERS.get(wire, ()),
            body=body,
            decoder=DECODERS[wire](request, not same),
            is_translated=not same,
            dropped=dropped,
        )

    def _dropped(self, unsaid: Iterable[Unsaid], deployment: Deployment) -> tuple[str, ...]:
        names = []
        for lost in unsaid:
            if not (lost.harmless and self._drops_harmless):
                raise InvalidRequest(
                    f"{lost.name}: {deployment.provider.title} cannot be asked for this. Leave it out, or choose another model.",
                    param=lost.name,
                )
            names.append(lost.name)
        return tuple(dict.fromkeys(names))


def read(request: ModelRequest) -> Prompt:
    """The request in the neutral form."""
    return READ[request.wire](request)


def _pass_openai(request: ModelRequest, deployment: Deployment, output_limit: int | None) -> bytes:
    provider = deployment.provider
    return passing.openai(
        request,
        deployment.wire_model,
        ask_for_usage=deployment.asks_for_usage,
        output_limit=None if output_limit is None else (provider.output_limit_field, output_limit),
    )


PASS: dict[WireName, Callable[[ModelRequest, Deployment, int | None], bytes]] = {
    "openai": _pass_openai,
    "responses": lambda request, deployment, limit: passing.responses(request, deployment.wire_model, limit),
    "anthropic": lambda request, deployment, limit: passing.anthropic(request, deployment.upstream_model, limit),
    "gemini": lambda request, _deployment, limit: passing.gemini(request, limit),
}
READ: dict[WireName, Callable[[ModelRequest], Prompt]] = {}
WRITE: dict[WireName, Callable[[Prompt, Deployment], Written]] = {}
DECODERS: dict[WireName, Callable[[ModelRequest, bool], Decoder]] = {
    "openai": lambda request, translate: openai_answer.Decoder(translate, choices=request.choices),
}
