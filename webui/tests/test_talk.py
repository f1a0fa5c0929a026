"""A conversation's ways: branches, several models at once, files, thoughts and tool calls, the request as code."""

import json
import re
import secrets
import subprocess
from pathlib import Path

from playwright.sync_api import Page, expect

from stack import ApiService, Mock, wait_until
from steps import OpenPage, ask, choose, connected, origin, record_of, violations, write

GPT = "openai/gpt-4o"
TOOLS = json.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": "look_up",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            },
        }
    ]
)


def compare_with(page: Page, *models: str) -> None:
    """Add models to the one that is chosen."""
    for model in models:
        page.get_by_role("button", name="Compare with another model").click()
        page.get_by_role("combobox", name="Filter models").fill(model)
        page.keyboard.press("Enter")


def bubbles(page: Page) -> list[str]:
    """What was asked on the branch that is shown."""
    return page.locator(".bubble").all_inner_texts()


def test_an_edit_of_an_earlier_message_is_a_branch_and_both_stay(page: Page) -> None:
    connected(page)
    ask(page, "first", "demo/priced")
    ask(page, "second")
    page.locator(".turn").first.hover()
    page.locator(".turn").first.get_by_role("button", name="Edit this message").click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("first")
    write(page, "first, again")
    expect(page.locator(".bubble")).to_have_text(["first, again"])
    expect(page.get_by_test_id("receipt-cost")).to_be_visible()
    expect(page.get_by_role("img", name="Wording 2 of 2")).to_be_visible()
    page.get_by_role("button", name="Earlier wording").click()
    expect(page.locator(".bubble")).to_have_text(["first", "second"])
    page.reload()
    expect(page.locator(".bubble")).to_have_text(["first", "second"])
    page.get_by_role("button", name="Later wording").click()
    expect(page.locator(".bubble")).to_have_text(["first, again"])
    with page.expect_request("**/api/chat") as sent:
        ask(page, "third")
    assert sent.value.post_data_json["messages"][0]["content"] == "first, again"


def test_a_second_answer_stands_beside_the_first_and_what_follows_it_too(page: Page) -> None:
    connected(page)
    ask(page, "question", "demo/priced")
    ask(page, "follows the first answer")
    page.locator(".turn").first.get_by_role("button", name="Regenerate").click()
    expect(page.get_by_role("img", name="Answer 2 of 2")).to_be_visible()
    assert bubbles(page) == ["question"]
    page.get_by_role("button", name="Earlier answer").click()
    expect(page.locator(".bubble")).to_have_count(2)
    page.get_by_label("Message", exact=True).press("ArrowUp")
    expect(page.get_by_label("Message", exact=True)).to_have_value("follows the first answer")


def test_two_and_four_models_answer_at_once_and_the_best_are_named(page: Page) -> None:
    connected(page)
    choose(page, "demo/priced")
    compare_with(page, "demo/echo")
    write(page, "which of you?")
    columns = page.locator(".columns > .answer")
    expect(columns).to_have_count(2)
    expect(page.get_by_test_id("compare-total")).to_contain_text("2 answers")
    records = [record_of(page, columns.nth(n)) for n in range(2)]
    assert [one["model"] for one in records] == ["demo/priced", "demo/echo"]
    cheapest = min(range(2), key=lambda n: records[n]["cost_nano_usd"])
    expect(columns.nth(cheapest).get_by_test_id("won")).to_contain_text("cheapest")
    assert page.get_by_test_id("won").filter(has_text="cheapest").count() == 1
    total = sum(one["cost_nano_usd"] for one in records) / 1e9
    expect(page.get_by_test_id("compare-total")).to_contain_text(f"${total:.9f}".rstrip("0"))
    assert violations(page) == []
    compare_with(page, GPT, "demo/story")
    expect(page.get_by_role("button", name="Compare with another model")).to_have_count(0)
    columns.nth(1).get_by_role("button", name="Go on with this").click()
    write(page, "{{tokens=3}} and now?")
    last = page.locator(".turn").last.locator(".columns > .answer")
    expect(last).to_have_count(4)
    expect(last.get_by_test_id("receipt-time")).to_have_count(4, timeout=15_000)
    sent = {one["model"]: one for one in (record_of(page, last.nth(n)) for n in range(4))}
    assert set(sent) == {"demo/priced", "demo/echo", GPT, "demo/story"}
    page.reload()
    expect(page.locator(".columns > .answer")).to_have_count(6)


def test_stop_ends_all_that_were_asked(page: Page, mock: Mock) -> None:
    connected(page)
    choose(page, GPT)
    compare_with(page, "openai/gpt-4o-mini")
    mark = f"m-{secrets.token_hex(6)}"
    write(page, f"{mark} {{{{tokens=400 delay_ms=25}}}}")
    wait_until(lambda: len(mock.calls(mark)) == 2)
    wait_until(lambda: all(len(text) > 10 for text in page.locator(".columns .prose").all_inner_texts()))
    page.keyboard.press("Escape")
    expect(page.locator(".stopped")).to_have_count(2)
    mock.ended_call(mark)
    assert len(mock.calls(mark)) == 2


def test_a_picture_and_a_text_file_go_with_the_question(page: Page, tmp_path: Path, api: ApiService) -> None:
    connected(page)
    choose(page, GPT)
    picture, text, binary = tmp_path / "dot.png", tmp_path / "notes.md", tmp_path / "tool.bin"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    text.write_text("# Notes\nthe word is heliotrope")
    binary.write_bytes(bytes(range(256)))
    page.get_by_test_id("files").set_input_files([picture, text, binary])
    expect(page.get_by_role("alert")).to_contain_text("tool.bin: only PNG")
    expect(page.locator(".composer .attached")).to_have_count(2)
    with page.expect_request("**/api/chat") as sent:
        answer = ask(page, "{{say=media}} what is this?")
    parts = sent.value.post_data_json["messages"][-1]["content"]
    assert [part["type"] for part in parts] == ["image_url", "text", "text"]
    assert parts[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert "heliotrope" in parts[1]["text"]
    expect(answer.locator(".prose")).to_contain_text("image")
    expect(page.locator(".composer .attached")).to_have_count(0)
    wait_until(lambda: api.rows("SELECT 1 FROM conversation_files"))
    page.reload()
    expect(page.locator("img.picture")).to_be_visible()
    with page.expect_request("**/api/chat") as sent:
        ask(page, "{{tokens=2}} and again?")
    assert sent.value.post_data_json["messages"][0]["content"] == parts


def test_thoughts_and_tool_calls_are_shown_apart_from_the_words(page: Page) -> None:
    connected(page)
    choose(page, "openai/gpt-5.1")
    page.keyboard.press("Control+.")
    page.get_by_role("textbox", name="Tools").fill("[1,")
    expect(page.get_by_text("This takes a JSON list of tools")).to_be_visible()
    page.get_by_role("textbox", name="Tools").fill(TOOLS)
    page.keyboard.press("Escape")
    answer = ask(page, "{{thinking=6 tokens=4 tools=2}}")
    expect(answer.locator(".reasoning summary")).to_contain_text("Reasoning · 6 tokens")
    thoughts = answer.locator(".reasoning-text")
    expect(thoughts).to_be_hidden()
    answer.locator(".reasoning summary").click()
    expect(thoughts).to_have_text(re.compile(r"^(\S+ ?){6}$"))
    assert thoughts.inner_text() not in answer.locator(".prose").inner_text()
    expect(answer.locator(".tool-calls summary")).to_have_text(["look_up", "look_up"])
    assert "city" in answer.locator(".tool-calls pre").first.inner_text()
    assert violations(page) == []
    page.reload()
    expect(page.locator(".tool-calls summary")).to_have_text(["look_up", "look_up"])
    expect(page.locator(".reasoning summary")).to_contain_text("6 tokens")


def test_the_request_as_curl_runs_and_shows_no_key(page: Page, api: ApiService) -> None:
    connected(page)
    ask(page, 'it\'s "quoted" and\nbroken', "demo/echo")
    page.get_by_role("button", name="Show request").click()
    dialog = page.get_by_role("dialog", name="Show request")
    expect(dialog.get_by_test_id("as-request")).to_contain_text(f"{api.url}/api/chat")
    command = dialog.get_by_test_id("as-request").inner_text()
    run = subprocess.run(
        ["bash", "-c", command.replace("curl", "curl -sS --noproxy '*'", 1)], capture_output=True, text=True, check=True
    )
    assert '"type":"done"' in run.stdout
    dialog.get_by_role("button", name="Python").click()
    expect(dialog.get_by_test_id("as-request")).to_contain_text("import requests")
    dialog.get_by_role("button", name="JSON", exact=True).click()
    body = json.loads(dialog.get_by_test_id("as-request").inner_text())
    assert body["messages"] == [{"role": "user", "content": 'it\'s "quoted" and\nbroken'}]
    assert violations(page) == []


def test_the_bill_of_a_chat_that_was_opened_again_is_read_when_it_is_asked_for(page: Page) -> None:
    connected(page)
    answer = ask(page, "a bill, please", "demo/priced")
    total = answer.get_by_test_id("receipt-cost").inner_text()
    page.reload()
    page.get_by_role("button", name="Itemised receipt").click()
    expect(page.get_by_test_id("bill").locator("tfoot td")).to_have_text(re.compile(re.escape(total)))


def test_on_a_phone_columns_stand_below_each_other_and_nothing_overflows(open_page: OpenPage) -> None:
    page = connected(open_page("/", small=True))
    choose(page, "demo/priced")
    compare_with(page, "demo/echo")
    page.get_by_label("Message", exact=True).fill("narrow")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_test_id("compare-total")).to_be_visible()
    boxes = [page.locator(".columns > .answer").nth(n).bounding_box() for n in range(2)]
    assert all(box is not None for box in boxes)
    assert boxes[0]["x"] == boxes[1]["x"]  # type: ignore[index]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    assert origin(page)
