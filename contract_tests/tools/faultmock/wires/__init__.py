"""Every wire by name."""

from faultmock.wires import anthropic, audio, completions, gemini, images, lists, openai, responses
from faultmock.wires.wire import Wire

CONVERSATIONS = ("openai", "responses", "anthropic", "gemini")
WIRES: dict[str, Wire] = {
    wire.name: wire
    for wire in (
        openai.WIRE,
        responses.WIRE,
        anthropic.WIRE,
        gemini.WIRE,
        anthropic.COUNT,
        gemini.COUNT,
        completions.WIRE,
        lists.EMBEDDINGS,
        lists.MODERATIONS,
        lists.RERANK,
        images.WIRE,
        audio.SPEECH,
        audio.TRANSCRIPTION,
        audio.TRANSLATION,
    )
}
