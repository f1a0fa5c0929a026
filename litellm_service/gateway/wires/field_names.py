"""What a client's own wire calls a field that the neutral form has another name for."""

from gateway.domain.request import WireName

# Sources: the references of the four wires, as their readers (`prompt_in`) name them. What is not here has the same name.
_NAMES: dict[WireName, dict[str, str]] = {
    "openai": {"reasoning": "reasoning_effort"},
    "responses": {"response_format": "text.format", "logprobs": "top_logprobs"},
    "anthropic": {
        "reasoning": "thinking", "response_format": "output_config.format", "stop": "stop_sequences", "user": "metadata.user_id",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    },
    "gemini": {
        "n": "generationConfig.candidateCount", "temperature": "generationConfig.temperature", "top_p": "generationConfig.topP",
        "top_k": "generationConfig.topK", "seed": "generationConfig.seed", "stop": "generationConfig.stopSequences",
        "frequency_penalty": "generationConfig.frequencyPenalty", "presence_penalty": "generationConfig.presencePenalty",
        "logprobs": "generationConfig.responseLogprobs", "reasoning": "generationConfig.thinkingConfig",
        "response_format": "generationConfig.responseMimeType", "tool_choice": "toolConfig", "service_tier": "serviceTier",
    },
}  # fmt: skip


def in_wire(wire: WireName, name: str) -> str:
    """The field as a client of `wire` wrote it."""
    return _NAMES[wire].get(name, name)
