"""OpenAI's speech, transcription and translation (platform.openai.com/docs/api-reference/audio, …/audio-streaming)."""

import base64
import struct

from faultmock.answering import Answer, Usage, said_usage
from faultmock.asking import Asked, Media, Target, Turn
from faultmock.pieces import Json, Piece, dumps, json_piece
from faultmock.wires import openai
from faultmock.wires.completions import asked_texts
from faultmock.wires.wire import Whole, Wire

_TYPES = {"mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac", "pcm": "audio/pcm"}
_RATE = 24_000
_SAMPLES_A_TOKEN = 600


def wav(samples: int) -> bytes:
    """So many samples of a saw tooth in 16 bits."""
    data = struct.pack(f"<{samples}h", *(i % 256 * 64 for i in range(samples)))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, _RATE, _RATE * 2, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE") + form + struct.pack("<4sI", b"data", len(data)) + data
    )


def _read_speech(fields: Json, target: Target) -> Asked:
    return asked_texts(fields, target, "input", stream=fields.get("stream_format") == "sse")


def _sound(answer: Answer) -> bytes:
    return wav(len(answer.tokens) * _SAMPLES_A_TOKEN)


def _speech(answer: Answer) -> Whole:
    """The same bytes whatever the format: only their type follows it."""
    return _sound(answer), _TYPES.get(answer.ask.body.get("response_format") or "mp3", "audio/wav")


def _speech_body(answer: Answer) -> Json:
    return {"audio": base64.b64encode(_sound(answer)).decode()}


def _usage(told: Usage) -> Json:
    return {"input_tokens": told.prompt, "output_tokens": told.completion, "total_tokens": told.total}


def _totals(stated: Json) -> Usage:
    return Usage(stated["input_tokens"], stated["output_tokens"])


def _speech_pieces(answer: Answer) -> list[Piece]:
    sound, count = _sound(answer), max(1, len(answer.tokens))
    size = -(-len(sound) // count)
    parts = [base64.b64encode(sound[i * size : (i + 1) * size]).decode() for i in range(count)]
    name = "speech.audio.delta"
    pieces = [json_piece("token", {"type": name, "audio": part}, name, 1) for part in parts]
    return [*pieces, _done(answer, "speech.audio.done", {})]


def _done(answer: Answer, name: str, fields: Json) -> Piece:
    stated = said_usage(answer, "usage", _usage(answer.usage) | ({"type": "tokens"} if fields else {}))
    return json_piece("finish", {"type": name, **fields, **stated}, name, usage=stated.get("usage"))


def _read_upload(fields: Json, target: Target) -> Asked:
    """`file` is what the multipart reader made of it: name, and what it is."""
    found = fields.get("file")
    if not isinstance(found, dict) or not isinstance(found["media"], Media):
        raise TypeError("the form has no file named 'file'")
    turns = [Turn("file", found["name"]), Turn("user", str(fields.get("prompt", "")), media=(found["media"],))]
    return Asked(body=fields, model=str(fields["model"]), turns=turns, stream=fields.get("stream") == "true")


def _seconds(answer: Answer) -> float:
    return round((answer.ask.media[0].size or 0) / (_RATE * 2), 2)


def _transcript(answer: Answer) -> Json:
    """Whisper bills seconds, the others tokens."""
    stated: Json = {"type": "tokens", **_usage(answer.usage)}
    if answer.ask.model.startswith("whisper"):
        stated = {"type": "duration", "seconds": _seconds(answer)}
    told = {"text": answer.text, **said_usage(answer, "usage", stated)}
    if answer.ask.body.get("response_format") != "verbose_json":
        return told
    return {
        "task": "transcribe",
        "language": "english",
        "duration": _seconds(answer),
        **told,
        "segments": [],
        "words": [],
    }


def _translation(answer: Answer) -> Json:
    return {"text": answer.text}


def _transcription(answer: Answer) -> Whole:
    form = answer.ask.body.get("response_format") or "json"
    if form not in ("text", "srt", "vtt"):
        body = _transcript(answer) if answer.ask.wire == "transcription" else _translation(answer)
        return dumps(body).encode(), "application/json"
    head = {"text": "", "srt": "1\n00:00:00,000 --> 00:00:01,000\n", "vtt": "WEBVTT\n\n00:00.000 --> 00:01.000\n"}[form]
    return f"{head}{answer.text}\n".encode(), "text/plain; charset=utf-8"


def _transcription_pieces(answer: Answer) -> list[Piece]:
    name = "transcript.text.delta"
    pieces = [json_piece("token", {"type": name, "delta": token}, name, 1) for token in answer.tokens]
    return [*pieces, _done(answer, "transcript.text.done", {"text": answer.text})]


SPEECH = Wire(
    name="speech",
    read=_read_speech,
    body=_speech_body,
    whole=_speech,
    pieces=_speech_pieces,
    usage=_usage,
    totals=_totals,
    error=openai.error,
    error_piece=openai.error_piece,
)
TRANSCRIPTION = Wire(
    name="transcription",
    read=_read_upload,
    body=_transcript,
    whole=_transcription,
    pieces=_transcription_pieces,
    usage=_usage,
    totals=_totals,
    error=openai.error,
    error_piece=openai.error_piece,
)
TRANSLATION = Wire(name="translation", read=_read_upload, body=_translation, whole=_transcription, error=openai.error)
