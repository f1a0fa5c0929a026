"""Thought signatures: what comes back to a provider must be its own, whoever carried it in between.

Google's are opaque bytes in base64, in either alphabet (https://ai.google.dev/gemini-api/docs/thought-signatures). In the neutral
form, reasoning that Google signed bears a mark: a conversation may go on at another provider, and each refuses the others'
signatures. Google's SDKs know bytes only, so another provider's signature travels to them in base64, with a mark in front.
A call's signature is always Google's and bears none.
"""

import base64
import binascii

SKIPS_VALIDATION = "skip_thought_signature_validator"
_STAND_INS = {
    SKIPS_VALIDATION,
    base64.b64encode(SKIPS_VALIDATION.encode()).decode(),
    "context_engineering_is_the_way_to_go",
}
_MARK = "gemini:"
_FOREIGN, _REDACTED = b"gateway-signature:", b"gateway-redacted:"
_STANDARD = str.maketrans("-_", "+/")


def marked(signature: str) -> str:
    """Google's signature in the neutral form."""
    return _MARK + signature


def own(signature: str | None) -> str | None:
    """What Google takes back of a signature in the neutral form; `None`: another provider gave it."""
    if signature is None or not signature.startswith(_MARK):
        return None
    return signature.removeprefix(_MARK)


def is_carried(signature: str | None) -> bool:
    """Whether Google's wire has room for it: base64."""
    return bool(signature) and _bytes(signature or "") is not None


def for_client(signature: str | None, redacted: str | None) -> str | None:
    """What a Google client is given to bring back."""
    if redacted:
        return _wrapped(_REDACTED, redacted)
    return (own(signature) or _wrapped(_FOREIGN, signature)) if signature else None


def of_thought(text: str | None) -> tuple[str | None, str | None]:
    """Signature and redacted reasoning in the neutral form of what a Google client, or Google, gave."""
    signature = of_call(text)
    if signature is None:
        return None, None
    data = _bytes(signature) or b""
    if data.startswith(_REDACTED):
        return None, data.removeprefix(_REDACTED).decode(errors="replace")
    if data.startswith(_FOREIGN):
        return data.removeprefix(_FOREIGN).decode(errors="replace"), None
    return marked(signature), None


def of_call(text: str | None) -> str | None:
    """A signature in the standard alphabet, which providers give; a stand-in for one is none."""
    return None if not text or text in _STAND_INS else text.translate(_STANDARD)


def _wrapped(mark: bytes, text: str) -> str:
    return base64.b64encode(mark + text.encode(errors="replace")).decode()


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text.translate(_STANDARD), validate=True)
    except (binascii.Error, ValueError):
        return None
