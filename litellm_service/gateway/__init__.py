"""A self-hosted LLM gateway whose numbers are right."""

__version__ = "0.1.0"
