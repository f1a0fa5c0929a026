"""May it proceed: rate limits and budgets."""
