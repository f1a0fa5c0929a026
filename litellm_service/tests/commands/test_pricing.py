"""`gateway prices`: the list, and changes of the book without a service."""

import json
import logging

import pytest
from money import ADMIN

from gateway.cli import main

ROW = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 3e-6, "output_cost_per_token": 1e-5}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    given = {"DATABASE_URL": f"sqlite:///{tmp_path}/u.db", "GATEWAY_ADMIN_KEY": ADMIN, "LOG_LEVEL": "error"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path
    root.handlers[:], root.level = handlers, level


def printed(capsys, *arguments: str, status: int = 0) -> str:
    assert main(arguments) == status
    said = capsys.readouterr()
    return said.err if status else said.out


def test_the_list_needs_no_database_and_no_action(folder, capsys):
    assert "demo/priced" in printed(capsys, "prices", "demo/*")
    assert "demo/priced" in printed(capsys, "prices", "list", "demo/*")
    row = json.loads(printed(capsys, "prices", "--json", "demo/priced"))
    assert (row["input"], row["source"]) == (1.0, "demo")
    assert "no model matches" in printed(capsys, "prices", "nothing/*", status=1)
    assert not (folder / "u.db").exists()


def test_a_price_is_set_listed_and_taken_back(folder, capsys):
    made = json.loads(
        printed(
            capsys, "prices", "override", "demo/priced", "--input", "2", "--output", "4.5", "--search", "0.01", "--json"
        )
    )
    assert made["rates"] == {"input_usd_per_million": 2.0, "output_usd_per_million": 4.5, "search_usd": 0.01}
    row = json.loads(printed(capsys, "prices", "demo/priced", "--json"))
    assert (row["input"], row["source"]) == (2.0, "override")
    assert made["id"] in printed(capsys, "prices", "overrides")
    assert "is deleted" in printed(capsys, "prices", "delete", made["id"])
    assert json.loads(printed(capsys, "prices", "demo/priced", "--json"))["source"] == "demo"
    assert "There is no override" in printed(capsys, "prices", "delete", made["id"], status=1)
    refused = printed(capsys, "prices", "override", "x", "--input", "-1", "--output", "1", status=2)
    assert "rates.input_usd_per_million" in refused


def test_a_map_is_shown_before_it_is_imported(folder, capsys):
    path = folder / "map.json"
    path.write_text(json.dumps({"gpt-4o": ROW, "brand-new": ROW}), "utf-8")
    shown = printed(capsys, "prices", "import", str(path))
    assert "new: openai/brand-new" in shown
    assert "openai/gpt-4o  input: 2.5 → 3" in shown
    assert "nothing was changed; add --apply --confirm" in shown
    assert "confirm" in printed(capsys, "prices", "import", str(path), "--apply", status=2)
    done = printed(capsys, "prices", "import", str(path), "--apply", "--confirm", "--version", "mine")
    assert "imported as 'mine'" in done
    row = json.loads(printed(capsys, "prices", "openai/brand-new", "--json"))
    assert (row["input"], row["version"]) == (3.0, "mine")
    path.write_text("no json", "utf-8")
    assert "JSON" in printed(capsys, "prices", "import", str(path), status=2)
    assert "No such file" in printed(capsys, "prices", "import", str(folder / "none.json"), status=2)


def test_a_recomputation_says_that_nothing_was_changed(folder, capsys):
    said = printed(capsys, "prices", "recompute", "--from", "2026-01-01", "--to", "2027-01-01")
    assert "0 of 0 attempts differ, by $0.00" in said
    assert "nothing was changed" in said
    assert "from" in printed(capsys, "prices", "recompute", "--from", "soon", "--to", "2027-01-01", status=2)
