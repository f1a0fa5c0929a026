"""A TCP proxy that delays, cuts, resets and swallows."""

from faultproxy.proxy import Conditions, FaultProxy

__all__ = ["Conditions", "FaultProxy"]
