"""`python -m clients.pydantic URL MODEL TEXT`: Pydantic AI runs a tool and answers."""

import json
import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

url, model, text = sys.argv[1:]
agent = Agent(OpenAIChatModel(model, provider=OpenAIProvider(base_url=f"{url}/v1", api_key="unused")))
cities: list[str] = []


@agent.tool_plain
def get_weather(city: str) -> str:
    """The weather of a city."""
    cities.append(city)
    return "sunny"


print(json.dumps({"text": agent.run_sync(text).output, "cities": cities}))
