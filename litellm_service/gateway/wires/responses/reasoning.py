"""What another provider signed of its reasoning, inside `encrypted_content`, the one thing that Responses clients bring back."""

import base64
import binascii

_SIGNED, _REDACTED = b"gateway-signature:", b"gateway-redacted:"


def wrapped(signature: str | None, redacted: str | None) -> str | None:
    """For the client; `None` where there is nothing to bring back."""
    if redacted:
        return base64.b64encode(_REDACTED + redacted.encode(errors="replace")).decode()
    return base64.b64encode(_SIGNED + signature.encode(errors="replace")).decode() if signature else None


def unwrapped(content: str | None) -> tuple[str | None, str | None]:
    """Signature and redacted reasoning; what OpenAI itself encrypted is nobody else's to read."""
    try:
        data = base64.b64decode(content or "", validate=True)
    except (binascii.Error, ValueError):
        return None, None
    if data.startswith(_SIGNED):
        return data.removeprefix(_SIGNED).decode(errors="replace"), None
    if data.startswith(_REDACTED):
        return None, data.removeprefix(_REDACTED).decode(errors="replace")
    return None, None
