"""The systems that are compared: how each is started and called."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Target
from bench.messages import anthropic_body, request_body, responses_body
from bench.places import CACHE, PYTHON, ROOT, SERVICE, SYSTEM_CORE, WORK, environment, free_port
from bench.processes import Process
from bench.upstream import Upstream, start_nginx

KEY = "sk-bench-key-of-32-characters-000"
PEPPER = "bench-pepper-of-32-characters-000"
AUTHORIZATION = {"authorization": f"Bearer {KEY}"}
LITELLM = CACHE / "litellm"
PORTKEY = CACHE / "portkey" / "node_modules" / "@portkey-ai" / "gateway"


@dataclass(frozen=True)
class System:
    """A system under test. `start` gives its process; targets are keyed by the kinds of scenarios."""

    name: str
    settings: str
    start: Callable[[], Process]
    targets: dict[str, Target]
    database: Path | None = None
    is_peer: bool = True
    slow: bool = field(default=False)


def all_systems(upstream: Upstream, extra: list[str]) -> list[System]:
    """Every system that is installed here, ours first."""
    systems = [_ours(upstream), _ours_limited(upstream), _nginx(upstream)]
    if (LITELLM / "bin" / "litellm").exists():
        systems.append(_litellm(upstream))
    if PORTKEY.exists():
        systems.append(_portkey(upstream))
    return [*systems, *(_given(text, upstream) for text in extra)]


def direct(upstream: Upstream) -> dict[str, Target]:
    """The mock without anything in between."""
    return _targets(upstream.plain, upstream.stream, "gpt-4o", "gpt-4o", {}, path="/chat/completions")


def _targets(
    plain: str, stream: str, plain_model: str, stream_model: str, headers: dict[str, str], path: str = ""
) -> dict[str, Target]:
    return {
        "plain": Target(plain + path, headers, request_body(plain_model, stream=False)),
        "stream": Target(stream + path, headers, request_body(stream_model, stream=True)),
    }


def _ours(upstream: Upstream) -> System:
    return _gateway(
        upstream, "this gateway", WORK / "ledger.db", AUTHORIZATION,
        "accounting on: key check, hold and settle committed (SQLite, WAL, synchronous=FULL) before the end of "
        "every answer, content stored, rollups and histograms, one log line a request; defaults otherwise",
    )  # fmt: skip


def _ours_limited(upstream: Upstream) -> System:
    database = WORK / "limited.db"
    command = [str(PYTHON), str(ROOT / "bench" / "limited_database.py"), str(database), PEPPER]
    secret = subprocess.run(command, cwd=SERVICE, capture_output=True, text=True, check=True).stdout.strip()
    return _gateway(
        upstream, "the same, limited", database, {"authorization": f"Bearer {secret}"},
        "as above, called with a virtual key under four hard budgets and two rate limits, all large enough",
    )  # fmt: skip


def _gateway(upstream: Upstream, name: str, database: Path, headers: dict[str, str], about: str) -> System:
    port = free_port()
    settings = {
        "API_PORT": str(port),
        "DATABASE_URL": f"sqlite:///{database}",
        "GATEWAY_ADMIN_KEY": KEY,
        "GATEWAY_PEPPER": PEPPER,
        "GATEWAY_CONFIG": str(WORK / "gateway.toml"),
        "OPENAI_BASE_URL": upstream.plain,
        "OPENAI_API_KEY": "sk-upstream",
        "ANTHROPIC_BASE_URL": upstream.plain.removesuffix("/v1"),
        "ANTHROPIC_API_KEY": "sk-upstream",
        "DEEPSEEK_BASE_URL": upstream.stream,
        "DEEPSEEK_API_KEY": "sk-upstream",
    }
    (WORK / "gateway.toml").touch()

    def start() -> Process:
        command = [str(PYTHON), "api_service.py"]
        return Process(command, SYSTEM_CORE, WORK / "gateway.log", environment(settings), SERVICE)

    base = f"http://127.0.0.1:{port}/v1"
    url, claude = f"{base}/chat/completions", "anthropic/claude-sonnet-4-5"
    targets = _targets(url, url, "openai/gpt-4o", "deepseek/deepseek-chat", headers) | {
        "messages": Target(f"{base}/messages", headers, anthropic_body(claude)),
        "responses": Target(f"{base}/responses", headers, responses_body("openai/gpt-4o")),
        "chat to Anthropic": Target(url, headers, request_body(claude, stream=False)),
        "messages to OpenAI": Target(f"{base}/messages", headers, anthropic_body("openai/gpt-4o")),
    }
    return System(name=name, start=start, database=database, is_peer=False, settings=about, targets=targets)


def _nginx(upstream: Upstream) -> System:
    port = free_port()
    servers = f"""
    upstream plain {{ server 127.0.0.1:{upstream.plain_port}; keepalive 512; keepalive_requests 100000000; }}
    upstream stream {{ server 127.0.0.1:{upstream.stream_port}; keepalive 512; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
        location /plain/ {{ proxy_pass http://plain/; }}
        location /stream/ {{ proxy_pass http://stream/; }}
    }}"""
    base = f"http://127.0.0.1:{port}"
    return System(
        name="nginx", start=lambda: start_nginx("proxy", servers, SYSTEM_CORE), is_peer=False,
        settings="proxy_pass with keep-alive to the upstream, one worker, no access log, no buffering; knows nothing of LLMs",
        targets=_targets(f"{base}/plain", f"{base}/stream", "gpt-4o", "gpt-4o", {}, path="/v1/chat/completions"),
    )  # fmt: skip


def _litellm(upstream: Upstream) -> System:
    port, config = free_port(), WORK / "litellm.yaml"
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": "openai/gpt-4o", "api_base": base, "api_key": "sk-upstream"},
        }
        for name, base in (("gpt-4o", upstream.plain), ("gpt-4o-streamed", upstream.stream))
    ]
    config.write_text(json.dumps({"model_list": models, "litellm_settings": {"telemetry": False}}))  # JSON is YAML
    extra = {
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
    }
    command = [str(LITELLM / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return System(
        name="LiteLLM proxy", slow=True,
        start=lambda: Process(command, SYSTEM_CORE, WORK / "litellm.log", environment(extra), WORK),
        settings=f"{_pip_version(LITELLM, 'litellm')}, one worker, a master key, no database (so no accounting), log level ERROR",
        targets=_targets(url, url, "gpt-4o", "gpt-4o-streamed", AUTHORIZATION),
    )  # fmt: skip


def _portkey(upstream: Upstream) -> System:
    port = free_port()
    node = shutil.which("node") or "node"
    command = [node, str(PORTKEY / "build" / "start-server.js"), f"--port={port}", "--headless"]
    version = json.loads((PORTKEY / "package.json").read_text())["version"]
    url = f"http://127.0.0.1:{port}/v1/chat/completions"

    def target(base: str, *, stream: bool) -> Target:
        headers = {**AUTHORIZATION, "x-portkey-provider": "openai", "x-portkey-custom-host": base}
        return Target(url, headers, request_body("gpt-4o", stream=stream))

    return System(
        name="Portkey",
        start=lambda: Process(
            command, SYSTEM_CORE, WORK / "portkey.log", environment({"NODE_ENV": "production"}), PORTKEY
        ),
        settings=f"@portkey-ai/gateway {version} on Node, one process, headless; no accounting, no key of its own",
        targets={"plain": target(upstream.plain, stream=False), "stream": target(upstream.stream, stream=True)},
    )  # fmt: skip


def _given(text: str, upstream: Upstream) -> System:
    """`NAME=COMMAND`: {port}, {plain} and {stream} are filled in; it serves /v1/chat/completions for model gpt-4o."""
    name, _, line = text.partition("=")
    port = free_port()
    command = [part.format(port=port, plain=upstream.plain, stream=upstream.stream) for part in line.split()]
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return System(
        name=name, settings=line, targets=_targets(url, url, "gpt-4o", "gpt-4o-streamed", AUTHORIZATION),
        start=lambda: Process(command, SYSTEM_CORE, WORK / f"{name}.log", environment({}), WORK),
    )  # fmt: skip


def _pip_version(venv: Path, package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run(
        [venv / "bin" / "python", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
