"""What is read of the bodies beside chat, and that nothing else of them is touched."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.entry import Operation
from gateway.domain.errors import InvalidRequest
from gateway.http import operations, uploads

FORM = {b"content-type": b"multipart/form-data; boundary=frontier"}
PARSERS = (
    operations.embeddings, operations.completions, operations.images, operations.speech, operations.moderations,
    operations.rerank, operations.token_count,
)  # fmt: skip


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("parse", "fields", "expected"),
    [
        (operations.embeddings, {"input": "one"}, {"query": "one"}),
        (operations.embeddings, {"input": ["one", "two"]}, {"query": "one"}),
        (operations.embeddings, {"input": [1, 2, 3]}, {"query": ""}),
        (operations.embeddings, {"input": [[1, 2], [3]]}, {"query": ""}),
        (operations.embeddings, {"input": {"text": "one"}}, {"query": "one"}),
        (operations.embeddings, {"input": "one", "user": "ann"}, {"user_id": "ann", "user_is_hint": True}),
        (operations.completions, {"prompt": "one", "n": 3, "max_tokens": 9}, {"choices": 3, "output_limit": 9}),
        (operations.completions, {"prompt": ["one", "two"], "n": 3}, {"choices": 6}),
        (operations.completions, {"prompt": ["one"], "best_of": 5, "n": 2}, {"choices": 5}),
        (operations.completions, {"prompt": [1, 2, 3]}, {"choices": 1}),
        (operations.completions, {"prompt": [[1, 2], [3]]}, {"choices": 2}),
        (operations.completions, {"prompt": "one", "stream": True}, {"stream": True, "wants_usage": False}),
        (operations.images, {"prompt": "a dog", "n": 4}, {"choices": 4, "query": "a dog", "stream": False}),
        (operations.speech, {"input": "öl"}, {"characters": 2, "stream": True, "as_bytes": True}),
        (operations.speech, {"input": "öl", "stream_format": "sse"}, {"stream": True, "as_bytes": False}),
        (operations.moderations, {"input": [{"type": "text", "text": "bad"}]}, {"query": "bad"}),
        (operations.rerank, {"query": "why", "documents": ["a", "b"]}, {"query": "why"}),
    ],
)
def test_the_few_fields_that_matter_are_read(parse, fields, expected):
    request = parse(body(model="m", **fields), {}, "")
    assert {name: getattr(request, name) for name in expected} == expected
    assert {name: msgspec.json.decode(raw) for name, raw in request.fields.items()} == {"model": "m", **fields}


@pytest.mark.parametrize(
    ("parse", "fields", "param"),
    [
        (operations.embeddings, {"model": "m"}, "input"),
        (operations.embeddings, {"model": "m", "input": []}, "input"),
        (operations.embeddings, {"input": "one"}, "model"),
        (operations.completions, {"model": "m", "prompt": None}, "prompt"),
        (operations.completions, {"model": "m", "prompt": "one", "n": 0}, "n"),
        (operations.completions, {"model": "m", "prompt": "one", "best_of": 1000}, "best_of"),
        (operations.images, {"model": "m", "prompt": "one", "n": -1}, "n"),
        (operations.images, {"model": 1, "prompt": "one"}, "model"),
        (operations.speech, {"model": "m", "input": ""}, "input"),
        (operations.rerank, {"model": "m", "query": "why"}, "documents"),
        (operations.rerank, {"model": "m", "documents": ["a"]}, "query"),
        (operations.token_count, {"model": "m", "messages": []}, "messages"),
    ],
)
def test_what_is_missing_or_wrong_is_named(parse, fields, param):
    with pytest.raises(InvalidRequest) as refused:
        parse(body(**fields), {}, "")
    assert refused.value.param == param


def test_a_moderation_has_a_model_of_its_own():
    assert operations.moderations(body(input="x"), {}, "").model == operations.MODERATION_MODEL


def test_what_is_shown_is_bounded():
    request = operations.embeddings(body(model="m", input="x" * 50_000), {}, "")
    assert len(request.query) == operations.MAX_SHOWN
    assert len(request.fields["input"]) == 50_002


@given(st.sampled_from(PARSERS), st.binary() | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["model", "input", "prompt", "n", "query", "documents", "stream"]) | st.text(), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_garbage_is_an_invalid_request_and_nothing_else(parse, raw):
    try:
        request = parse(raw, {}, "")
    except InvalidRequest:
        return
    assert request.model


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    return f'--frontier\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--frontier--\r\n"


FILE = part("file", b"\0\xff\r\n--front\r\n", "hello.mp3")
MODEL = part("model", b"whisper-1")


def test_a_form_is_read_and_only_its_model_replaced():
    whole = form(part("prompt", b"some words"), MODEL, FILE, part("stream", b"true"))
    request = uploads.transcription(whole, FORM, "")
    assert (request.operation, request.model, request.stream) == (Operation.TRANSCRIPTION, "whisper-1", True)
    assert request.query == "hello.mp3\nsome words"
    assert request.upload is not None
    assert request.upload.naming("groq-whisper") == whole.replace(b"\r\nwhisper-1\r\n", b"\r\ngroq-whisper\r\n")
    assert {name: msgspec.json.decode(raw) for name, raw in request.fields.items()} == {
        "prompt": "some words", "model": "whisper-1", "stream": "true",
    }  # fmt: skip


def test_the_same_form_under_another_boundary_says_the_same():
    whole = form(MODEL, FILE)
    other = uploads.transcription(
        whole.replace(b"frontier", b"other"), {b"content-type": b"multipart/form-data; boundary=other"}, ""
    )
    first = uploads.transcription(whole, FORM, "")
    assert first.upload is not None
    assert other.upload is not None
    assert first.upload.said == other.upload.said


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "the form cannot be read"),
        (form(MODEL), "file"),
        (form(FILE), "model"),
        (form(MODEL, FILE, part("model", b"gpt-4o")), "more than once"),
        (form(MODEL, FILE, part("provider", b"{}")), "headers"),
        (form(MODEL, FILE)[:-4], "the form cannot be read"),
        (form(MODEL, FILE) + form(part("model", b"gpt-4o")), "the form cannot be read"),
        (b"preamble\r\n" + form(MODEL, FILE), "the form cannot be read"),
        (form(MODEL, part("file", b"sound")), "filename"),
        (form(part("model", b"whisper-1", "model.txt"), FILE), "model"),
        (form(MODEL, FILE, part("prompt", b"x" * 70_000)), "more than"),
        (form(MODEL, FILE, *(part(f"p{at}", b"") for at in range(100))), "more than 100 parts"),
        (form(part("model", b"a\nb"), FILE), "printable"),
        (form(MODEL, FILE).replace(b"form-data", b"attachment"), "content-disposition"),
    ],
)
def test_a_form_that_can_be_read_in_two_ways_is_refused(raw, why):
    with pytest.raises(InvalidRequest) as refused:
        uploads.transcription(raw, FORM, "")
    assert why in refused.value.message.lower()


@pytest.mark.parametrize(
    "kind", [b"multipart/form-data", b'multipart/form-data; boundary=""', b"multipart/form-data; boundary=a b\xff"]
)
def test_a_form_needs_a_boundary(kind):
    with pytest.raises(InvalidRequest):
        uploads.transcription(form(MODEL, FILE), {b"content-type": kind}, "")


@given(st.binary() | st.lists(st.sampled_from([MODEL, FILE, b"--frontier", b"\r\n", b"--", b":", b"\0"])).map(b"".join))
def test_a_garbled_form_is_an_invalid_request_and_nothing_else(raw):
    try:
        request = uploads.translation(raw, FORM, "")
    except InvalidRequest:
        return
    assert request.model == "whisper-1"


@given(st.binary(max_size=300).filter(lambda sound: b"--frontier" not in sound))
def test_a_file_goes_on_byte_for_byte(sound):
    whole = form(part("file", sound, "a.wav"), MODEL)
    request = uploads.transcription(whole, FORM, "")
    assert request.upload is not None
    assert request.upload.naming("m") == form(part("file", sound, "a.wav"), part("model", b"m"))
    assert request.fields.keys() == {"model"}
    assert msgspec.json.decode(request.fields["model"]) == "whisper-1"
