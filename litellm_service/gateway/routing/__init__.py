"""Where a request goes: names to deployments."""
