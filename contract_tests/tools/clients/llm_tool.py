"""`python -m clients.llm_tool TEXT`: the model `mine` of `llm`'s own list (LLM_USER_PATH)."""

import json
import sys

import llm

print(json.dumps({"text": llm.get_model("mine").prompt(sys.argv[1], key="unused").text()}))
