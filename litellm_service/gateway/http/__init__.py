"""Everything that knows HTTP: routes, wire formats, statuses."""
