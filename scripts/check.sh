#!/usr/bin/env bash
# Everything that is checked without running the services. Stops at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n== %s\n' "$*"; }

say "format";   .venv/bin/python -m ruff format --check --quiet . || { echo "Not formatted; run: make fix"; exit 1; }
say "lint";     .venv/bin/python -m ruff check .
say "types";    .venv/bin/python -m mypy litellm_service/gateway litellm_service/api_service.py webui/webui webui/app.py \
    bench scripts contract_tests/tools
say "layers";   PYTHONPATH=litellm_service:webui .venv/bin/lint-imports --no-logo
say "documents"; .venv/bin/python -m pytest --quiet litellm_service/tests/test_docs.py
say "JavaScript"
if ! command -v npm >/dev/null; then
    if [ "${CI:-}" = true ]; then scripts/system_parts.sh node; else echo "SKIPPED: no npm here. Node 20 is needed to check the WebUI's JavaScript."; exit 0; fi
fi
cd webui
# Not `npm ci`: it wants every platform's optional parts to be in the registry, and some mirrors have one platform's only.
[ node_modules/.package-lock.json -nt package-lock.json ] || npm install --no-save --silent --no-audit --no-fund
npm run --silent check
