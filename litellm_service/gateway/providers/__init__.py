"""The calls to upstreams: transport, wire formats, catalogue, demo, LiteLLM worker."""
