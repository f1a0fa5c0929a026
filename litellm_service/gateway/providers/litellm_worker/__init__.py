"""LiteLLM in a process of its own, spoken to in the OpenAI wire over a Unix socket."""
