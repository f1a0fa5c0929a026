"""`python -m clients.litellm_client URL MODEL TEXT`: LiteLLM's own client, plain and streamed."""

import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

url, model, text = sys.argv[1:]
asked = {
    "model": f"openai/{model}", "api_base": f"{url}/v1", "api_key": "unused", "num_retries": 0,
    "messages": [{"role": "user", "content": text}],
}  # fmt: skip
answer = litellm.completion(**asked)
streamed = "".join(chunk.choices[0].delta.content or "" for chunk in litellm.completion(**asked, stream=True))
said = {"text": answer.choices[0].message.content, "usage": answer.usage.completion_tokens, "streamed": streamed}
print(json.dumps(said))
