"""The one request and the one answer of every run, plain and streamed."""

import json

STREAM_CHUNKS = 100
QUESTION = (
    "You keep the books of a small bakery. Below are this week's flour deliveries in kilograms: Monday 120, Tuesday 80, "
    "Wednesday 95, Thursday 110, Friday 140. Which day was the largest, what is the sum, and how does it compare with the "
    "520 kg of last week? Answer in two short sentences that a person in a hurry understands, and give the difference in per cent."
)
ANSWER = (
    "Friday was the largest delivery with 140 kg, and the week adds up to 545 kg. That is 25 kg or about 4.8 per cent more "
    "than the 520 kg of last week, so the order was raised a little, mostly at the end of the week."
)
USAGE = {
    "prompt_tokens": 96,
    "completion_tokens": 58,
    "total_tokens": 154,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


def request_body(model: str, *, stream: bool) -> bytes:
    """A chat completion request of about 600 bytes."""
    body: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are exact and brief."},
            {"role": "user", "content": QUESTION},
        ],
        "temperature": 0.2,
    }
    if stream:
        body["stream"] = True
    return json.dumps(body).encode()


def plain_answer() -> bytes:
    """A chat completion as OpenAI sends it, about 800 bytes."""
    message: dict[str, object] = {"role": "assistant", "content": ANSWER, "refusal": None, "annotations": []}
    return json.dumps(
        {
            "id": "chatcmpl-BenchBenchBenchBenchBenchBench",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": USAGE,
            "service_tier": "default",
            "system_fingerprint": "fp_0123456789",
        }
    ).encode()


def anthropic_body(model: str) -> bytes:
    """The same request as Anthropic's clients send it."""
    said = [{"role": "user", "content": QUESTION}]
    body = {
        "model": model,
        "max_tokens": 400,
        "system": "You are exact and brief.",
        "messages": said,
        "temperature": 0.2,
    }
    return json.dumps(body).encode()


def anthropic_answer() -> bytes:
    """The same answer as Anthropic sends it."""
    return json.dumps(
        {
            "id": "msg_BenchBenchBenchBench",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5-20250929",
            "content": [{"type": "text", "text": ANSWER}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 96,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 58,
                "service_tier": "standard",
            },
        }
    ).encode()


def responses_body(model: str) -> bytes:
    """The same request as a client of Responses sends it."""
    body = {
        "model": model,
        "instructions": "You are exact and brief.",
        "input": QUESTION,
        "temperature": 0.2,
        "store": False,
    }
    return json.dumps(body).encode()


def responses_answer() -> bytes:
    """The same answer as OpenAI's Responses give it."""
    text = {"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    usage = {
        "input_tokens": 96,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 58,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 154,
    }
    return json.dumps(
        {
            "id": "resp_BenchBenchBenchBench",
            "object": "response",
            "created_at": 1_760_000_000,
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "instructions": "You are exact and brief.",
            "model": "gpt-4o-2024-08-06",
            "output": [message],
            "parallel_tool_calls": True,
            "store": False,
            "temperature": 0.2,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": usage,
        }
    ).encode()


def stream_events() -> list[bytes]:
    """The events of a streamed completion: 100 with text, the finish, the usage, the end."""
    deltas = [{"role": "assistant", "content": ""}, *({"content": f" word{n:02}"} for n in range(1, STREAM_CHUNKS))]
    events = [_event([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]) for delta in deltas]
    finish = _event([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}])
    return [*events, finish, _event([], usage=USAGE), b"data: [DONE]\n\n"]


def _event(choices: list[dict[str, object]], **more: object) -> bytes:
    chunk = {
        "id": "chatcmpl-BenchBenchBenchBenchBenchBench",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": choices,
        **more,
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"
