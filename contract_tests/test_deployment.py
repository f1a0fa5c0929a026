"""The images and the Compose file: what they promise, and their steps replayed without Docker."""

import contextlib
import fnmatch
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import free_port, get_json, post_json, wait_until

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTEXTS = {"api": ROOT / "litellm_service", "webui": ROOT / "webui"}
USER_ID = 10001
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Step:
    """One instruction of a Dockerfile."""

    word: str
    rest: str

    @property
    def parts(self) -> list[str]:
        """The operands, without options."""
        return [part for part in shlex.split(self.rest) if not part.startswith("--")]


def stages(context: Path) -> list[list[Step]]:
    """The instructions of a Dockerfile, by stage."""
    text = re.sub(r"\\\n\s*", " ", (context / "Dockerfile").read_text())
    found: list[list[Step]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append(Step(word, rest.strip()))
    return found


def steps(context: Path, word: str) -> list[Step]:
    """The instructions of one kind in the last stage."""
    return [step for step in stages(context)[-1] if step.word == word]


def environment(context: Path) -> dict[str, str]:
    """What the image sets."""
    return dict(part.split("=", 1) for step in steps(context, "ENV") for part in shlex.split(step.rest))


@pytest.fixture(params=CONTEXTS, ids=list(CONTEXTS))
def context(request: pytest.FixtureRequest) -> Path:
    return CONTEXTS[request.param]


def test_every_copied_file_exists_and_is_in_the_build_context(context):
    ignore = (context / ".dockerignore").read_text().split()
    assert ignore[0] == "*"
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    copied = [
        source
        for stage in stages(context)
        for step in stage
        if step.word == "COPY" and "--from" not in step.rest
        for source in step.parts[:-1]
    ]
    assert copied
    for source in copied:
        assert (context / source).exists(), source
        assert source in allowed, f"{source} is ignored"


def test_the_images_run_as_nobody_special_and_say_how_they_are(context):
    assert steps(context, "USER")[-1].rest == "gateway"
    assert f"--uid {USER_ID}" in steps(context, "RUN")[0].rest
    assert "python" in steps(context, "HEALTHCHECK")[0].rest
    assert json.loads(steps(context, "CMD")[0].rest)[0] == "python"


def test_the_images_install_only_what_is_locked(context):
    install = next(step.rest for step in stages(context)[0] if "pip install" in step.rest)
    assert "--require-hashes" in install
    assert "--no-deps" in install


def test_the_api_image_can_be_built_without_litellm():
    build = stages(CONTEXTS["api"])[0]
    assert Step("ARG", "WITH_LITELLM=1") in build
    assert any("requirements-core.txt" in step.rest for step in build if step.word == "RUN")
    names = re.findall(r"^([a-z0-9._-]+)==", (CONTEXTS["api"] / "requirements-core.txt").read_text(), re.MULTILINE)
    assert "starlette" in names
    assert "litellm" not in names


def test_the_image_listens_everywhere_and_keeps_its_data_in_the_volume():
    settings = environment(CONTEXTS["api"])
    assert settings["API_HOST"] == "0.0.0.0"
    assert settings["API_PORT"] == "5000"
    assert settings["DATABASE_URL"] == "sqlite:////app/data/litellm_usage.db"
    assert "api" in settings["ALLOWED_HOSTS"].split(",")
    assert environment(CONTEXTS["webui"])["LITELLM_API_URL"] == "http://api:5000"


def test_compose_is_the_seeds():
    api, webui = COMPOSE["services"]["api"], COMPOSE["services"]["webui"]
    assert api["build"]["context"] == "./litellm_service"
    assert webui["build"] == "./webui"
    assert api["volumes"] == ["./data:/app/data"]
    assert api["env_file"] == [{"path": ".env", "required": False}]
    assert webui["environment"]["LITELLM_API_URL"] == "http://api:5000"
    assert "api" in webui["depends_on"]


def test_compose_publishes_on_this_machine_only():
    for service, port in (("api", 5000), ("webui", 5500)):
        (published,) = COMPOSE["services"][service]["ports"]
        assert published.startswith("127.0.0.1:")
        assert published.endswith(f":{port}")


def test_compose_takes_every_right_away():
    for name, service in COMPOSE["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert COMPOSE["services"]["webui"]["volumes"] == ["./data:/app/data:ro"]


def test_the_console_gets_no_provider_key():
    webui = COMPOSE["services"]["webui"]
    assert "env_file" not in webui
    assert not [name for name in webui["environment"] if name.endswith("_API_KEY")]


def test_a_port_in_env_moves_the_published_port_only():
    api = COMPOSE["services"]["api"]
    assert api["environment"]["API_PORT"] == "5000"
    assert "${API_PORT:-5000}" in api["ports"][0]


# --- the steps of the images, replayed in a clean virtual environment ---------------------------------------------------


def interpreter() -> Path:
    """A Python that the unprivileged user may run: this one, or the system's."""
    own = Path(sys.executable).resolve()
    if os.getuid() != 0 or all(folder.stat().st_mode & 0o001 for folder in own.parents):
        return own
    system = Path("/usr/bin/python3")
    recent = [system, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if not system.exists() or subprocess.run(recent, check=False).returncode != 0:
        pytest.skip("no Python 3.11 that another user could run")
    return system


class Image:
    """A Dockerfile's result in a folder: its packages, its files (read-only), a process of its user."""

    def __init__(self, context: Path, folder: Path, lock: str) -> None:
        self.context = context
        self.venv, self.app = folder / "venv", folder / "app"
        subprocess.run([interpreter(), "-m", "venv", "--without-pip", self.venv], check=True)
        self.bare_bytes = _size(self.venv)
        self._install(context / lock)
        self.installed_bytes = _size(self.venv) - self.bare_bytes
        self.app.mkdir()
        for step in steps(context, "COPY"):
            if "--from" not in step.rest:
                self._copy(step)
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(
                    path.stat().st_mode & ~0o222 | 0o555 if path.is_dir() else path.stat().st_mode & ~0o222 | 0o444
                )
        folder.chmod(0o755)

    @property
    def python(self) -> Path:
        """The interpreter of the image."""
        return self.venv / "bin" / "python"

    def _install(self, lock: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet", "--no-compile"]
        command = [*pip, "--require-hashes", "--no-deps", "-r", lock]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 and "No matching distribution" in done.stderr and os.environ.get("CI") != "true":
            pytest.skip(f"packages cannot be fetched here: {done.stderr.strip()[-200:]}")
        assert done.returncode == 0, done.stderr

    def _copy(self, step: Step) -> None:
        *sources, target = step.parts
        for source in sources:
            to = self.app / target / (source if target.endswith("/") else "")
            if (self.context / source).is_dir():
                shutil.copytree(self.context / source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(self.context / source, to)

    def as_user(self) -> dict[str, Any]:
        """The unprivileged user, where we may become one."""
        return {"user": USER_ID, "group": USER_ID, "extra_groups": []} if os.getuid() == 0 else {}

    @contextlib.contextmanager
    def running(self, log: Path, **variables: str) -> Iterator[None]:
        """Its command with the environment of the image and `variables`."""
        command = [self.python, *json.loads(steps(self.context, "CMD")[0].rest)[1:]]
        env = {**environment(self.context), "PATH": os.defpath, "HOME": "/tmp", **variables}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=self.app, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **self.as_user()
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)

    def healthy(self, **variables: str) -> bool:
        """Whether the image's own health check succeeds."""
        command = json.loads(steps(self.context, "HEALTHCHECK")[0].rest.partition(" CMD ")[2])
        done = subprocess.run(
            [self.python, *command[1:]], env=variables, capture_output=True, check=False, **self.as_user()
        )
        return done.returncode == 0


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Path]:
    """A folder that another user can reach, under the system's own temporary folder."""
    folder = Path("/tmp") / f"deployment-{os.getpid()}"
    folder.mkdir(mode=0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.slow
def test_both_images_work_as_an_unprivileged_user_on_a_read_only_tree(public: Path):
    for name in ("api", "webui", "data"):
        (public / name).mkdir()
    (public / "data").chmod(0o700)
    if os.getuid() == 0:
        os.chown(public / "data", USER_ID, USER_ID)
    api = Image(CONTEXTS["api"], public / "api", "requirements-core.txt")
    webui = Image(CONTEXTS["webui"], public / "webui", "requirements.txt")
    assert api.installed_bytes <= 70 * MEGABYTE
    api_port, webui_port = str(free_port()), str(free_port())
    database = f"sqlite:///{public}/data/litellm_usage.db"
    key_file = public / "data" / "gateway_admin.key"

    with api.running(public / "api.log", API_PORT=api_port, DATABASE_URL=database):
        wait_until(lambda: api.healthy(API_PORT=api_port), 20, f"health of the API: {(public / 'api.log').read_text()}")
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        key = key_file.read_text().strip()
        assert key in (public / "api.log").read_text()
        url = f"http://127.0.0.1:{api_port}/api/chat"
        assert post_json(url, {"query": "hello", "model": "demo/echo"})[0] == 401
        status, reply = post_json(
            url, {"query": "hello", "model": "demo/echo"}, {"authorization": f"Bearer {key}", "host": f"api:{api_port}"}
        )
        assert status == 200, reply
        assert "hello" in reply["response"]

        at = {"WEBUI_PORT": webui_port, "LITELLM_API_URL": f"http://127.0.0.1:{api_port}"}
        with webui.running(public / "webui.log", **at, GATEWAY_ADMIN_KEY_FILE=str(key_file)):
            wait_until(
                lambda: webui.healthy(WEBUI_PORT=webui_port),
                20,
                f"health of the WebUI: {(public / 'webui.log').read_text()}",
            )
            assert get_json(f"http://127.0.0.1:{webui_port}/api/stats")[0] in {401, 403}
            with urllib.request.urlopen(f"http://127.0.0.1:{webui_port}/", timeout=5) as page:
                assert b"sign in" in page.read().lower()


def _size(folder: Path) -> int:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files if not fnmatch.fnmatch(path.name, "*.pyc"))
