"""What the documents say is what the code has: settings, errors, routes, commands, links."""

import json
import re
import tomllib
from functools import cache
from pathlib import Path

import msgspec
import pytest

from gateway import settings
from gateway.cli import _parser
from gateway.http.errors import STATUS
from gateway.http.openapi import DOCS as ROUTES
from gateway.providers.catalog import Catalog
from gateway.telemetry.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
SECTIONS = {
    "server": settings.Server,
    "store": settings.Store,
    "upstream": settings.Upstream,
    "routing": settings.Routing,
    "cache": settings.Cache,
}
WITHOUT_FIELD = {"GATEWAY_CONFIG"}
WEBUI_SETTINGS = ROOT / "webui" / "webui" / "settings.py"


@cache
def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def first_cells(page: Path) -> list[str]:
    """The code in the first column of a page's tables."""
    return re.findall(r"^\| `([^`]+)` \|", text_of(page), re.MULTILINE)


def gateway_variables() -> set[str]:
    fields = {field.upper() for kind in SECTIONS.values() for field in kind.__struct_fields__}
    return fields | WITHOUT_FIELD


def webui_variables() -> set[str]:
    return set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', text_of(WEBUI_SETTINGS)))


def provider_variables() -> set[str]:
    rows = Catalog.load().providers.values()
    return {name for row in rows for name in (*row.key_variables, row.base_url_variable)}


def test_every_setting_is_documented_and_no_other():
    assert set(first_cells(DOCS / "settings.md")) == gateway_variables() | webui_variables()


def test_every_metric_is_documented_and_no_other():
    documented = re.findall(r"^\| `(gateway_[a-z_]+)` \| (\w+) \| (.*) \|$", text_of(DOCS / "metrics.md"), re.MULTILINE)
    assert documented == [(name, kind, about) for name, (kind, about) in METRICS.items()]


def test_documented_defaults_are_the_codes():
    stated = dict(re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)` \|", text_of(DOCS / "settings.md"), re.MULTILINE))
    for kind in SECTIONS.values():
        for name, value in msgspec.to_builtins(kind()).items():
            if value not in (None, [], ()):
                shown = ",".join(value) if isinstance(value, (list, tuple)) else json.dumps(value).strip('"')
                assert stated[name.upper()] == shown, name


def test_the_example_environment_has_every_setting_and_every_provider_key():
    named = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", text_of(ROOT / ".env.example"), re.MULTILINE))
    assert gateway_variables() | webui_variables() - {"WEBUI_DEV"} <= named
    for row in Catalog.load().providers.values():
        if row.wire != "demo":
            expected = row.base_url_variable if row.local else row.key_variables[0]
            assert expected in named, row.name
    assert named <= gateway_variables() | webui_variables() | provider_variables()


def test_the_example_configuration_has_every_setting_with_its_default():
    text = text_of(ROOT / "gateway.example.toml")
    given = tomllib.loads(text)
    for section, kind in SECTIONS.items():
        defaults = msgspec.to_builtins(kind())
        for name, value in given[section].items():
            assert value == msgspec.to_builtins(defaults[name]) or value == list(defaults[name]), name
        left_out = set(defaults) - set(given[section])
        assert left_out == {name for name in left_out if f"# {name} = " in text}


def test_every_error_code_is_documented_with_its_status_and_no_other():
    rows = re.findall(r"^\| (\d+) \| `([a-z_]+)` \|", text_of(DOCS / "errors.md"), re.MULTILINE)
    assert {code: int(status) for status, code in rows} == {kind.code: status for kind, status in STATUS.items()} | {
        "internal_error": 500
    }


def test_every_route_is_documented_and_no_other():
    assert set(first_cells(DOCS / "api.md")) == {f"{doc.method} {doc.path}" for doc in ROUTES}


def commands() -> set[str]:
    (choices,) = [action.choices for action in _parser()._actions if action.choices]
    return set(choices)


def test_every_command_is_documented_and_no_other():
    assert {cell.removeprefix("gateway ") for cell in first_cells(DOCS / "operations.md")} == commands()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_a_page_names_exist(page: Path):
    named = set(re.findall(r"(?:`|python -m )gateway ([a-z]+)\b", text_of(page)))
    assert named <= commands()
    targets = set(re.findall(r"^([a-z-]+):.*##", text_of(ROOT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text_of(page), re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            linked = (page.parent / path).resolve() if path else page
            assert linked.exists(), target
            assert not anchor or anchor in anchors(linked), target


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_reachable_from_the_readme():
    linked = {(ROOT / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)\)", text_of(ROOT / "README.md"))}
    assert set(DOCS.rglob("*.md")) <= linked


def test_every_dependency_has_its_reason():
    stated = set(re.findall(r"`([a-z0-9-]+)`", text_of(DOCS / "dependencies.md")))
    for folder in ("litellm_service", "webui"):
        project = tomllib.loads(text_of(ROOT / folder / "pyproject.toml"))["project"]
        extras = [line for lines in project.get("optional-dependencies", {}).values() for line in lines]
        assert {re.split(r"[<>=]", line)[0] for line in (*project["dependencies"], *extras)} <= stated
    tools = {
        line.lower().partition("[")[0]
        for line in text_of(ROOT / "requirements-dev.in").split("\n")
        if line and line[0] not in "#-"
    }
    assert tools <= stated


def test_no_lock_file_names_a_host_or_a_path_of_somebodys_machine():
    for lock in (*ROOT.glob("requirements*.txt"), *ROOT.glob("*/requirements*.txt"), *ROOT.glob("*/package-lock.json")):
        found = re.findall(
            r"--(?:index-url|find-links|extra-index-url)|file:|/home/|\"resolved\": *\"http", text_of(lock)
        )
        assert not found, lock
