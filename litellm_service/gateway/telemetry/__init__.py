"""Outcomes as log lines."""
