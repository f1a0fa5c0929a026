# The commands of the project. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run test check fix bench bench-quick verify webui-static pictures lock
PY := .venv/bin/python
# Test files that run side by side; each worker takes them in their order, the browser last.
WORKERS ?= 2

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## install what is locked and start both services; no key needed
	@scripts/environment.sh run
	@$(PY) scripts/run.py

test: ## run every test (installs what they need)
	@scripts/environment.sh dev
	@scripts/system_parts.sh test
	@$(PY) -m pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder --cov --cov-report=html:htmlcov $(ARGS)

check: ## format, lint, types, layers, JavaScript
	@scripts/environment.sh dev
	@scripts/check.sh

fix: ## format and mend what can be mended by itself
	@scripts/environment.sh dev
	@$(PY) -m ruff check --fix --quiet . || true
	@$(PY) -m ruff format .
	@if [ -d webui/node_modules ]; then cd webui && npm run --silent fix; fi

bench: ## measure against nginx, LiteLLM's proxy and Portkey; writes docs/performance.md
	@scripts/environment.sh run
	@$(PY) -m bench $(ARGS)

bench-quick: ## the same in a minute, with the peers that are installed
	@scripts/environment.sh run
	@$(PY) -m bench --quick $(ARGS)

verify: ## the long form of the tests; writes docs/verification.md
	@scripts/environment.sh dev
	@scripts/system_parts.sh test
	@$(PY) -m contract_tests.verify $(ARGS)

webui-static: ## write the console for static hosting (API=https://… says where the API service is; OUT=webui/dist)
	@scripts/environment.sh run
	@cd webui && LITELLM_API_URL=$(or $(API),http://localhost:5000) ../$(PY) app.py --write-static $(abspath $(or $(OUT),webui/dist))

pictures: ## take the pictures of README and docs anew (ARGS="usage keys" takes only these)
	@scripts/environment.sh dev
	@scripts/system_parts.sh test
	@$(PY) scripts/pictures.py $(ARGS)

lock: ## pin every dependency with its hashes (ARGS=--upgrade takes the newest)
	@scripts/environment.sh dev
	@scripts/lock.sh $(ARGS)
