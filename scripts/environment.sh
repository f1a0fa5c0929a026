#!/usr/bin/env bash
# Make .venv and install what is locked, only when a lock has changed.
#   run: both services       dev: the tools and tests as well
# PYTHON=... chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

locks=(litellm_service/requirements.txt webui/requirements.txt)
[ "${1:-run}" = dev ] && locks+=(requirements-dev.txt)
stamp=.venv/.installed-${1:-run}

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.14; do
        if recent "$name"; then echo "$name"; return; fi
        if [ "$name" = "${PYTHON:-}" ]; then
            echo "PYTHON=$PYTHON is no Python 3.11 or later. Name another, or leave PYTHON out." >&2; return 1
        fi
    done
    echo "Python 3.11 or later is needed and was not found. Install it, or say where it is: make run PYTHON=/path/to/python3" >&2
    return 1
}

if ! recent .venv/bin/python; then
    python=$(find_python)
    echo "Making .venv with $("$python" --version) ..."
    if ! "$python" -m venv --clear .venv; then
        echo "The virtual environment could not be made. On Debian or Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi

if ! cat "${locks[@]}" | cmp --silent - "$stamp"; then
    progress=--quiet
    if [ -t 1 ]; then progress=--progress-bar=on; fi
    echo "Installing the locked packages into .venv (once; LiteLLM and its parts are about 60 MB to download) ..."
    if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes --no-deps $progress \
        "${locks[@]/#/--requirement=}"; then
        echo "The installation failed. Read pip's message above; behind a proxy or mirror, set pip up for it and try again." >&2
        exit 1
    fi
    cat "${locks[@]}" >"$stamp"
fi
