"""From a request and a deployment to what is sent: the same wire passes through, another is written anew."""

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest
from gateway.domain.request import ModelRequest, WireName
from gateway.providers import operations
from gateway.providers.deployment import Deployment
from gateway.wires import passing, plain
from gateway.wires.anthropic import answer_in as anthropic_answer
from gateway.wires.anthropic import prompt_in as anthropic_in
from gateway.wires.anthropic import prompt_out as anthropic_out
from gateway.wires.codec import Decoder, Written
from gateway.wires.field_names import in_wire
from gateway.wires.gemini import answer_in as gemini_answer
from gateway.wires.gemini import prompt_in as gemini_in
from gateway.wires.gemini import prompt_out as gemini_out
from gateway.wires.neutral import Prompt, Unsaid
from gateway.wires.openai_chat import answer_in as openai_answer
from gateway.wires.openai_chat import prompt_in as openai_in
from gateway.wires.openai_chat import prompt_out as openai_out
from gateway.wires.responses import answer_in as responses_answer
from gateway.wires.responses import prompt_in as responses_in

# What a wire demands of every call; a client of the same wire brings it along.
UNSTATED_MAX_TOKENS = 8_192
_TOOL = re.compile(r"tools\[\d+\]\.type")
HEADERS: dict[WireName, tuple[tuple[bytes, bytes], ...]] = {"anthropic": ((b"anthropic-version", b"2023-06-01"),)}


class Call(msgspec.Struct, kw_only=True, frozen=True):
    """One call of an upstream: `wire` is what it speaks, `dropped` what the client asked for and it cannot say.

    `head`: the lines of its head where they are not the endpoint's. `answer`: nobody is called, for it is known.
    """

    wire: WireName
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    decoder: Decoder
    is_translated: bool
    dropped: tuple[str, ...] = ()
    head: bytes | None = None
    answer: bytes | None = None


class Abilities(msgspec.Struct, frozen=True):
    """What a model can do, as far as it is known: `reasons`: it may be told how much to think; `output_limit` is in tokens."""

    reasons: bool = True
    output_limit: int | None = None


UNKNOWN = Abilities()


class Calls:
    """Makes calls; `abilities` says what a deployment's model can do.

    `drops_harmless`: what an upstream cannot say and nobody misses is left out; else it is refused by name. `count_tokens`
    estimates a prompt for providers that do not count.
    """

    def __init__(
        self, *, abilities: Callable[[Deployment], Abilities] = lambda _deployment: UNKNOWN, drops_harmless: bool = True,
        count_tokens: Callable[[ModelRequest], int] = lambda request: request.size,
    ) -> None:  # fmt: skip
        self._abilities = abilities
        self._drops_harmless = drops_harmless
        self._count_tokens = count_tokens

    def call(self, request: ModelRequest, deployment: Deployment, output_limit: int | None) -> Call:
        """Raises `InvalidRequest` for what the deployment's wire has no word for.

        `output_limit`: tokens that the gateway itself allows the answer, where the client does not say.
        """
        if request.operation is not Operation.CHAT:
            return self._other(request, deployment, output_limit)
        wire = deployment.wire_for(request.wire)
        same = wire == request.wire
        dropped: tuple[str, ...] = ()
        if same:
            body = PASS[wire](request, deployment, output_limit)
        else:
            prompt = read(request)
            if output_limit is not None:
                prompt.output_limit = output_limit
            written = WRITE[wire](prompt, deployment, self._abilities(deployment))
            body = written.body
            dropped = self._dropped([*_untranslated(prompt), *written.unsaid], request.wire, deployment)
        return Call(
            wire=wire,
            target=deployment.target(wire, stream=request.stream),
            headers=request.headers if same else HEADERS.get(wire, ()),
            body=body,
            decoder=DECODERS[wire](request, not same or request.wants_parts),
            is_translated=not same,
            dropped=dropped,
        )

    def _other(self, request: ModelRequest, deployment: Deployment, output_limit: int | None) -> Call:
        if request.operation is Operation.TOKEN_COUNT:
            return self._count(request, deployment)
        return Call(
            wire="openai",
            target=operations.target(request, deployment),
            headers=(),
            body=operations.body(request, deployment, output_limit),
            decoder=operations.decoder(request),
            is_translated=False,
            head=operations.head(request, deployment),
        )

    def _count(self, request: ModelRequest, deployment: Deployment) -> Call:
        """Anthropic counts by itself; for all others it is our estimate, and nobody is called."""
        counts = deployment.wire_for(request.wire) == request.wire
        answer = None if counts else msgspec.json.encode({"input_tokens": self._count_tokens(request)})
        return Call(
            wire=request.wire,
            target=(deployment.endpoint.path + operations.COUNT_PATH).encode(),
            headers=request.headers,
            body=passing.anthropic(request, deployment.upstream_model, None),
            decoder=plain.Decoder(),
            is_translated=False,
            answer=answer,
        )

    def _dropped(self, unsaid: Iterable[Unsaid], wire: WireName, deployment: Deployment) -> tuple[str, ...]:
        names = []
        for lost in unsaid:
            name = in_wire(wire, lost.name)
            if not (lost.harmless and self._drops_harmless):
                allowed = lost.allowed or "Leave it out, or choose another model."
                raise InvalidRequest(
                    f"{name}: {deployment.provider.title} cannot be asked for this. {allowed}", param=name
                )
            names.append(name)
        return tuple(dict.fromkeys(names))


def _untranslated(prompt: Prompt) -> Iterator[Unsaid]:
    """What the request's own wire alone can say, and what a translated answer has no room for.

    A tool that only one provider runs is a mere offer while functions are offered too, as agents do: the model uses those.
    """
    named = prompt.tool_choice.name if prompt.tool_choice is not None else None
    has_others = bool(prompt.tools) and (named is None or any(tool.name == named for tool in prompt.tools))
    for lost in prompt.unsaid:
        yield Unsaid(lost.name, harmless=lost.harmless or (has_others and bool(_TOOL.fullmatch(lost.name))))
    if prompt.choices > 1:
        yield Unsaid("n")
    if prompt.logprobs or prompt.top_logprobs:
        yield Unsaid("logprobs")


def read(request: ModelRequest) -> Prompt:
    """The request in the neutral form."""
    return READ[request.wire](request)


def _pass_openai(request: ModelRequest, deployment: Deployment, output_limit: int | None) -> bytes:
    provider = deployment.provider
    return passing.openai(
        request,
        deployment.wire_model,
        ask_for_usage=deployment.asks_for_usage,
        is_strict=not deployment.takes_signatures,
        output_limit=None if output_limit is None else (provider.output_limit_field, output_limit),
    )


def _write_openai(prompt: Prompt, deployment: Deployment, abilities: Abilities) -> Written:
    dialect = openai_out.Dialect(
        output_limit_field=deployment.provider.output_limit_field,
        asks_for_usage=deployment.asks_for_usage,
        reasons=abilities.reasons,
        takes_cache_marks=deployment.takes_cache_marks,
        takes_signatures=deployment.takes_signatures,
    )
    return openai_out.write(prompt, deployment.wire_model, dialect)


def _write_anthropic(prompt: Prompt, deployment: Deployment, abilities: Abilities) -> Written:
    limit = min(UNSTATED_MAX_TOKENS, abilities.output_limit or UNSTATED_MAX_TOKENS)
    return anthropic_out.write(prompt, deployment.upstream_model, output_limit=limit)


PASS: dict[WireName, Callable[[ModelRequest, Deployment, int | None], bytes]] = {
    "openai": _pass_openai,
    "responses": lambda request, deployment, limit: passing.responses(request, deployment.wire_model, limit),
    "anthropic": lambda request, deployment, limit: passing.anthropic(request, deployment.upstream_model, limit),
    "gemini": lambda request, _deployment, limit: passing.gemini(request, limit),
}
READ: dict[WireName, Callable[[ModelRequest], Prompt]] = {
    "openai": lambda request: openai_in.read(request.fields),
    "responses": lambda request: responses_in.read(request.fields),
    "anthropic": lambda request: anthropic_in.read(request.fields),
    "gemini": lambda request: gemini_in.read(request.fields, stream=request.stream),
}
WRITE: dict[WireName, Callable[[Prompt, Deployment, Abilities], Written]] = {
    "openai": _write_openai,
    "anthropic": _write_anthropic,
    "gemini": lambda prompt, deployment, _abilities: gemini_out.write(prompt, deployment.upstream_model),
}
DECODERS: dict[WireName, Callable[[ModelRequest, bool], Decoder]] = {
    "openai": lambda request, translate: openai_answer.Decoder(translate, choices=request.choices),
    "responses": lambda _request, _translate: responses_answer.Decoder(),
    "anthropic": lambda _request, translate: anthropic_answer.Decoder(translate),
    "gemini": lambda request, translate: gemini_answer.Decoder(translate, choices=request.choices),
}
