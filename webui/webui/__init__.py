"""The console of LiteLLM Microservices: pages, static files and a proxy to the API service."""

__version__ = "0.1.0"
