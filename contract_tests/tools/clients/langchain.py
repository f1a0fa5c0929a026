"""`python -m clients.langchain URL MODEL TEXT TOOL_TEXT`: LangChain plain, streamed and with a tool."""

import json
import sys

from langchain_openai import ChatOpenAI

url, model, text, tool_text = sys.argv[1:]
chat = ChatOpenAI(model=model, base_url=f"{url}/v1", api_key="unused", max_retries=0)  # type: ignore[arg-type]
schema = {"type": "object", "properties": {"city": {"type": "string"}}}
answer = chat.invoke(text)
asked = chat.bind_tools([{"name": "get_weather", "description": "Weather.", "parameters": schema}]).invoke(tool_text)
print(
    json.dumps(
        {
            "text": answer.content,
            "usage": answer.usage_metadata,
            "streamed": "".join(str(chunk.content) for chunk in chat.stream(text)),
            "calls": [(call["name"], sorted(call["args"])) for call in asked.tool_calls],
        }
    )
)
