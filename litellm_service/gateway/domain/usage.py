"""What one attempt used, by disjoint class."""

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Disjoint token classes of one attempt, all ≥ 0; their sum is `total_tokens`.

    `input` excludes cached, written, audio and image tokens; `output` excludes reasoning, audio and images.
    Not tokens: `searches` that the provider ran, `seconds` of audio or video, `characters` to be spoken, `images` made.
    `stated_cost_nano_usd` is the cost that the provider itself named, where it does.
    `estimated`: the counts are ours, because the provider gave none.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0
    image_input: int = 0
    image_output: int = 0
    searches: int = 0
    seconds: int = 0
    characters: int = 0
    images: int = 0
    stated_cost_nano_usd: int | None = None
    estimated: bool = False

    @property
    def prompt_tokens(self) -> int:
        """Everything that went in, cached and written included."""
        return (
            self.input + self.cache_read + self.cache_write + self.cache_write_1h + self.audio_input + self.image_input
        )

    @property
    def completion_tokens(self) -> int:
        """Everything that came out, reasoning included."""
        return self.output + self.reasoning + self.audio_output + self.image_output

    @property
    def total_tokens(self) -> int:
        """Prompt and completion."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def is_plain(self) -> bool:
        """Only the five classes that the ledger has columns for, and no cost stated by the provider."""
        return not (
            self.cache_write_1h or self.audio_input or self.audio_output or self.image_input or self.image_output
            or self.searches or self.seconds or self.characters or self.images
        ) and self.stated_cost_nano_usd is None  # fmt: skip


NO_USAGE = Usage()
