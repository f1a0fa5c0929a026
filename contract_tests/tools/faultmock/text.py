"""Deterministic text whose tokens anybody can count."""

import re
import zlib

# One cl100k token each with a leading space; 4.5 characters a token with the space, as in English prose.
VOCABULARY = (
    "the time of people is way to water in think a place it year for world on house was school as still at point by "
    "city we great or three an state be never if become do under he last my read no need so land up side go them me "
    "boy us once am life all two see four its head our kind new began one most did live say got use far you high "
    "and let"
)
ACCENTED = ("naïve", "größer", "東京", "🙂", "café", "Ω")
_CHARACTERS_A_TOKEN = 7
_TOKEN = re.compile(rf"\s*\S{{1,{_CHARACTERS_A_TOKEN}}}|\s+$")


def word_tokens(count: int, seed: str = "") -> list[str]:
    """`count` tokens, all but the first with a leading space; the same for the same seed."""
    start = zlib.crc32(seed.encode())
    words = VOCABULARY.split()
    cycle = [words[(start + i) % len(words)] for i in range(count)]
    return [word if i == 0 else f" {word}" for i, word in enumerate(cycle)]


def accented_tokens(count: int) -> list[str]:
    """`count` tokens of two to four bytes a character."""
    return [f" {ACCENTED[i % len(ACCENTED)]}" for i in range(count)]


def split_tokens(text: str) -> list[str]:
    """Any text as tokens that together are the text."""
    return _TOKEN.findall(text)


def token_count(text: str) -> int:
    """What the mock bills for a text: a token for each 7 characters of each word."""
    return sum(-(-len(word) // _CHARACTERS_A_TOKEN) for word in text.split())
