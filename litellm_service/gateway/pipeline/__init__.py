"""The path of one request: holding, running, settling."""
