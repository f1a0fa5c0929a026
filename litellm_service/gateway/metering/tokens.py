"""Token counts without a tokenizer: an estimate, and a bound."""

TEMPLATE_TOKENS = 1_024


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has for today's large models."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def input_token_bound(body_bytes: int) -> int:
    """The most tokens a request body of so many bytes can be: a token is at least a byte, plus what chat templates add."""
    return body_bytes + TEMPLATE_TOKENS
