"""What becomes of an answer that is on its way when the reader turns to something else."""

import secrets

from playwright.sync_api import Locator, Page, expect

from stack import Mock, wait_until
from steps import OpenPage, ask, choose, connected, record_of, write

GPT = "openai/gpt-4o"


def coming(page: Page, mark: str) -> Locator:
    """Ask for a long answer and give it once its text has begun."""
    choose(page, GPT)
    write(page, f"{mark} {{{{tokens=400 delay_ms=25}}}}")
    answer = page.locator(".answer").last
    wait_until(lambda: len(answer.locator(".prose").inner_text()) > 20)
    return answer


def marker() -> str:
    """A word by which the mock upstream knows a call again."""
    return f"m-{secrets.token_hex(6)}"


def entry(page: Page, text: str) -> Locator:
    """A conversation in the list."""
    return page.locator("#history li").filter(has_text=text)


def test_a_chat_deleted_while_it_is_answered_stays_deleted(page: Page, mock: Mock) -> None:
    connected(page)
    mark = marker()
    coming(page, mark)
    entry(page, mark).hover()
    page.get_by_role("button", name=f"Delete “{mark}").click()
    mock.ended_call(mark, deadline_s=2)
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.wait_for_timeout(1500)
    expect(entry(page, mark)).to_have_count(0)
    page.reload()
    expect(page.locator("#history .caption")).to_be_visible()
    expect(entry(page, mark)).to_have_count(0)


def test_turning_to_another_chat_stops_the_answer_and_keeps_its_receipt(page: Page, mock: Mock) -> None:
    connected(page)
    ask(page, "the other chat", "demo/echo")
    page.keyboard.press("Control+Shift+O")
    mark = marker()
    coming(page, mark)
    entry(page, "the other chat").get_by_role("link").click()
    mock.ended_call(mark, deadline_s=2)
    expect(page.locator(".answer")).to_contain_text("the other chat")
    page.wait_for_timeout(1500)
    expect(page.locator("#history li").first).to_contain_text(mark)
    entry(page, mark).get_by_role("link").click()
    expect(page.locator(".answer").get_by_test_id("receipt-status")).to_have_text("499")
    assert record_of(page, page.locator(".answer"))["http_status"] == 499


def test_an_answer_cut_by_a_reload_gets_its_receipt(page: Page, mock: Mock) -> None:
    connected(page)
    mark = marker()
    coming(page, mark)
    page.reload()
    mock.ended_call(mark, deadline_s=2)
    answer = page.locator(".answer")
    expect(answer).to_contain_text("This answer was not finished.")
    expect(answer.get_by_test_id("receipt-cost")).to_be_visible()
    expect(entry(page, mark).locator(".num")).to_contain_text("$")


def test_escape_closes_the_drawer_and_leaves_the_answer_coming(open_page: OpenPage) -> None:
    page = open_page("/", small=True)
    expect(page.locator(".welcome")).to_be_visible()
    choose(page, GPT)
    page.get_by_label("Message", exact=True).fill("{{tokens=400 delay_ms=25}}")
    page.get_by_role("button", name="Send").click()
    wait_until(lambda: len(page.locator(".prose").inner_text()) > 20)
    page.get_by_role("button", name="Open the navigation").click()
    page.keyboard.press("Escape")
    expect(page.locator("#side.is-open")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)


def test_copying_works_where_the_browser_gives_plain_http_no_clipboard(open_page: OpenPage) -> None:
    page = connected(open_page("/"))
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.reload()
    ask(connected(page), "code:\n\n```\ncopied\n```", "demo/echo")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#announce")).to_have_text("Copied")
    page.get_by_label("Message", exact=True).focus()
    page.keyboard.press("Control+v")
    expect(page.get_by_label("Message", exact=True)).to_have_value("copied")
