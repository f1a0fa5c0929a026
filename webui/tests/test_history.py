"""What becomes of chats: kept by the gateway, found, renamed, deleted, taken out and in again."""

import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from stack import Mock, running_api, running_webui, wait_until
from steps import OpenPage, ask, choose, connected, origin, violations


def word() -> str:
    """A word that no other test uses."""
    return f"w{secrets.token_hex(5)}"


def listed(page: Page, text: str) -> Locator:
    """Chats of the list that have a text."""
    return page.locator("#history li").filter(has_text=text)


def kept(page: Page, text: str) -> list[dict[str, Any]]:
    """Chats that the gateway finds."""
    found: list[dict[str, Any]] = page.request.get(f"{origin(page)}/api/conversations?q={text}").json()["conversations"]
    return found


def test_chats_are_listed_opened_and_deleted_with_undo(page: Page) -> None:
    connected(page)
    first, second = word(), word()
    ask(page, f"{first} the first talk", "demo/priced")
    ask(page, "goes on")
    page.keyboard.press("Control+Shift+O")
    expect(page).to_have_url(f"{origin(page)}/")
    ask(page, f"{second} the second talk")
    expect(listed(page, second)).to_contain_text("$0.0000")
    assert page.locator("#history li").first.inner_text().startswith(second)
    page.reload()
    expect(page.locator(".answer")).to_have_count(1)
    listed(page, first).get_by_role("link").click()
    expect(page.locator(".answer")).to_have_count(2)
    listed(page, first).hover()
    page.get_by_role("button", name=f"Delete “{first} the first talk”").click()
    expect(listed(page, first)).to_have_count(0)
    expect(page.locator(".answer")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(listed(page, first)).to_have_count(1)
    listed(page, first).get_by_role("link").click()
    expect(page.locator(".answer")).to_have_count(2)
    assert len(kept(page, first)) == 1


def test_a_deleted_chat_is_gone_for_good_once_the_page_is_left(page: Page) -> None:
    connected(page)
    mark = word()
    ask(page, mark, "demo/echo")
    wait_until(lambda: kept(page, mark))
    listed(page, mark).hover()
    page.get_by_role("button", name=f"Delete “{mark}”").click()
    page.goto(f"{origin(page)}/usage")
    wait_until(lambda: not kept(page, mark))
    expect(listed(page, mark)).to_have_count(0)


def test_another_browser_sees_the_same_chats_and_what_was_added(open_page: OpenPage) -> None:
    mark = word()
    here, there = connected(open_page()), connected(open_page())
    ask(here, f"{mark} said here", "demo/priced")
    there.reload()
    listed(there, mark).get_by_role("link").click()
    expect(there.locator(".prose")).to_contain_text("said here")
    ask(there, "said there", "demo/echo")
    here.reload()
    expect(here.locator(".answer")).to_have_count(2)
    expect(listed(here, mark).locator(".num")).to_have_text(listed(there, mark).locator(".num").inner_text())


def test_a_word_inside_a_message_finds_the_chat_and_shows_where(page: Page) -> None:
    connected(page)
    mark = word()
    ask(page, "a question without it", "demo/echo")
    ask(page, f"and here stands {mark} in the midst of it")
    page.keyboard.press("Control+Shift+O")
    page.get_by_role("searchbox", name="Search chats").fill(mark.upper())
    expect(page.get_by_text("1 chat found")).to_be_visible()
    expect(page.locator("#history .snippet")).to_contain_text(f"stands {mark} in")
    page.get_by_role("searchbox", name="Search chats").fill(f"{mark}nothing")
    expect(page.get_by_text("No chat has these words.")).to_be_visible()


def test_a_chat_is_renamed_everywhere(page: Page) -> None:
    connected(page)
    mark = word()
    ask(page, "an unspeaking title", "demo/echo")
    page.get_by_role("button", name="This chat").click()
    page.get_by_role("button", name="Rename", exact=True).click()
    page.get_by_role("textbox", name="Title").fill(mark)
    page.keyboard.press("Enter")
    expect(listed(page, mark)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text(mark)
    ask(page, "goes on under its new name")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(mark)
    wait_until(lambda: kept(page, mark))


def test_what_is_taken_out_as_json_comes_back_the_same(page: Page, tmp_path: Path) -> None:
    connected(page)
    mark = word()
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    page.get_by_test_id("files").set_input_files(picture)
    ask(page, f"{mark} first wording", "demo/priced")
    page.get_by_role("button", name="Regenerate").click()
    expect(page.get_by_role("img", name="Answer 2 of 2")).to_be_visible()
    expect(page.get_by_test_id("receipt-cost")).to_be_visible()
    out = taken_out(page, "Export as JSON", tmp_path)
    (mine,) = kept(page, mark)
    taken_in(page, out)
    wait_until(lambda: len(kept(page, mark)) == 2)
    (other,) = (one for one in kept(page, mark) if one["id"] != mine["id"])
    whole = [page.request.get(f"{origin(page)}/api/conversations/{one['id']}").json() for one in (mine, other)]
    for one in whole:
        for name in ("id", "created_at"):
            del one[name]
    assert whole[0] == whole[1]
    file = whole[0]["messages"][0]["attachments"][0]["id"]
    got = page.request.get(f"{origin(page)}/api/conversations/{other['id']}/files/{file}")
    assert got.body() == picture.read_bytes()
    expect(page.get_by_role("img", name="Answer 2 of 2")).to_be_visible()
    expect(page.locator("img.picture")).to_be_visible()


def test_markdown_has_questions_answers_and_receipts(page: Page, tmp_path: Path) -> None:
    connected(page)
    answer = ask(page, "# what is *this*?", "demo/priced")
    cost = answer.get_by_test_id("receipt-cost").inner_text()
    text = taken_out(page, "Export as Markdown", tmp_path).read_text("utf-8")
    assert text.startswith("# what is *this*?\n\n## You\n\n# what is *this*?\n\n## demo/priced\n\n")
    assert cost in text


@pytest.mark.parametrize(("text", "words"), [("no json", "is not JSON"), ('{"a": 1}', "no exported chat")])
def test_a_file_that_is_no_chat_is_refused_in_words(page: Page, tmp_path: Path, text: str, words: str) -> None:
    connected(page)
    (tmp_path / "bad.json").write_text(text)
    taken_in(page, tmp_path / "bad.json")
    expect(page.locator(".toast")).to_contain_text(words)


def taken_in(page: Page, path: Path) -> None:
    """Import a file by the menu."""
    page.get_by_role("button", name="This chat").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import a chat").click()
    chooser.value.set_files(path)


def taken_out(page: Page, how: str, folder: Path) -> Path:
    """The file that the menu gives."""
    page.get_by_role("button", name="This chat").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=how).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_what_is_said_while_the_service_is_away_is_kept_once_it_is_back(
    open_page: OpenPage, tmp_path: Path, mock: Mock
) -> None:
    mark = word()
    with running_api(tmp_path / "api", mock.url) as own, running_webui(tmp_path, own.url) as console:
        page = connected(open_page("/", url=console.url))
        choose(page, "openai/gpt-4o")
        page.get_by_label("Message", exact=True).fill(f"{mark} {{{{tokens=300 delay_ms=20}}}}")
        page.get_by_label("Message", exact=True).press("Enter")
        wait_until(lambda: len(page.locator(".prose").last.inner_text()) > 40)
        own.kill()
        expect(page.locator(".failure")).to_be_visible()
        text = page.locator(".prose").last.inner_text()
        page.reload()
        expect(page.locator(".prose").last).to_have_text(text)
        own.start()
        expect(page.get_by_test_id("connection")).to_contain_text("API connected", timeout=16_000)
        wait_until(lambda: kept(page, mark), deadline_s=10)
        id_ = kept(page, mark)[0]["id"]

        def said() -> str:
            found = page.request.get(f"{origin(page)}/api/conversations/{id_}").json()
            return str(found["messages"][-1].get("text", "")) if "messages" in found else ""

        wait_until(lambda: " ".join(said().split()) == " ".join(text.split()), deadline_s=10)


def test_where_no_content_is_stored_chats_stay_in_the_browser(open_page: OpenPage, tmp_path: Path, mock: Mock) -> None:
    mark = word()
    with (
        running_api(tmp_path / "api", mock.url, STORE_CONTENT="false") as own,
        running_webui(tmp_path, own.url) as console,
    ):
        page = connected(open_page("/", url=console.url))
        expect(page.get_by_text("Chats stay in this browser.")).to_be_visible()
        ask(page, f"{mark} stays here", "demo/priced")
        page.reload()
        expect(page.locator(".prose")).to_contain_text("stays here")
        expect(listed(page, mark).locator(".num")).to_have_text(re.compile(r"^\$0\.0000"))
        page.get_by_role("searchbox", name="Search chats").fill("stays HERE")
        expect(page.get_by_text("1 chat found")).to_be_visible()
        assert own.rows("SELECT * FROM conversations") == []
        assert mark not in json.dumps(own.rows("SELECT query, response, messages FROM requests"))


def test_the_palette_finds_chats_models_pages_and_commands(page: Page) -> None:
    connected(page)
    mark = word()
    ask(page, f"needle {mark}", "demo/echo")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search chats, models, pages and commands")
    expect(field).to_be_focused()
    assert violations(page) == []
    field.fill("demo/story")
    expect(page.get_by_role("option").filter(has_text="demo/story")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#model-button")).to_have_attribute("data-model", "demo/story")
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    page.keyboard.type(mark)
    expect(page.get_by_role("option").filter(has_text=mark)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    page.keyboard.type("usage")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/usage"))
