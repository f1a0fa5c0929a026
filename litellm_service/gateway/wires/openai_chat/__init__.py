"""OpenAI chat completions, and what compatible vendors do differently."""
