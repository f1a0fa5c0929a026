"""Commands that talk to the service."""
