"""Read it back: usage, requests."""
