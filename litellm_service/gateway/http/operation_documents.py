"""The routes beside chat, as they are documented."""

from gateway.http.doc import Doc

_PASSED = "OpenAI's body and replies, passed on to the provider as they are, but for the model's name."

DOCS = (
    Doc(
        method="POST",
        path="/v1/embeddings",
        title="Embeddings (OpenAI)",
        about=f"{_PASSED} Google's models too.",
        body={"model": "demo/echo", "input": ["Hello", "Goodbye"]},
    ),
    Doc(
        method="POST",
        path="/v1/completions",
        title="Legacy completions (OpenAI)",
        about=f"{_PASSED} `n` or `best_of` answers to each prompt are charged.",
        body={"model": "gpt-3.5-turbo-instruct", "prompt": "Once upon a time"},
        streams=True,
    ),
    Doc(
        method="POST",
        path="/v1/images/generations",
        title="Image generation (OpenAI)",
        about=f"{_PASSED} Charged by the tokens that the provider states, or by the picture.",
        body={"model": "gpt-image-1", "prompt": "A red bicycle"},
        streams=True,
    ),
    Doc(
        method="POST",
        path="/v1/audio/speech",
        title="Speech (OpenAI)",
        about=f"{_PASSED} The sound comes as the provider makes it; one that breaks off ends without the last chunk of HTTP.",
        body={"model": "tts-1", "voice": "alloy", "input": "Hello"},
        gives="application/octet-stream",
    ),
    Doc(
        method="POST",
        path="/v1/audio/transcriptions",
        title="Transcription (OpenAI)",
        about="OpenAI's form and replies, passed on as they are, but for the model's name; `stream` too. What the provider does "
        "not say has no cost: ask for `json` or `verbose_json`. Not under a hard budget.",
        body={"model": "whisper-1", "file": "@hello.mp3"},
        form=True,
        streams=True,
    ),
    Doc(
        method="POST",
        path="/v1/audio/translations",
        title="Translation of recordings (OpenAI)",
        about="As transcriptions; into English.",
        body={"model": "whisper-1", "file": "@hello.mp3", "response_format": "verbose_json"},
        form=True,
    ),
    Doc(
        method="POST",
        path="/v1/moderations",
        title="Moderation (OpenAI)",
        about=f"{_PASSED} `model` may be left out. Free, unless it has a price.",
        body={"input": "Hello"},
    ),
    Doc(
        method="POST",
        path="/v1/rerank",
        title="Ranking (Cohere, Jina)",
        about="Passed on to the provider's `/rerank` beside its other routes. Charged by search units or tokens, as the model is "
        "priced.",
        body={"model": "cohere/rerank-v3.5", "query": "Hello", "documents": ["Goodbye", "Hi"]},
    ),
    Doc(
        method="POST",
        path="/v1/messages/count_tokens",
        title="Count tokens (Anthropic)",
        about='`{"input_tokens"}`: as Anthropic counts for its models, our estimate for all others. Free.',
        body={"model": "demo/echo", "messages": [{"role": "user", "content": "Hello"}]},
    ),
)
