#!/usr/bin/env bash
# Write the lock files: every dependency of the services and the tools pinned with its hashes. `--upgrade` takes the newest.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
    .venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --annotation-style line "$@"
}
api=litellm_service
compile "$@" $api/pyproject.toml --extra litellm --output-file $api/requirements.txt
compile $api/pyproject.toml --constraints $api/requirements.txt --output-file $api/requirements-core.txt
compile "$@" webui/pyproject.toml --constraints $api/requirements.txt --output-file webui/requirements.txt
compile "$@" requirements-dev.in --output-file requirements-dev.txt
