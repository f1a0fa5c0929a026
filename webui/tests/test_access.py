"""Accessibility, themes, reflow, keyboard: every page, both themes, 1440 and 390 px, in its states."""

import os

import pytest
from playwright.sync_api import Page, expect

from stack import wait_until
from steps import OpenPage, ask, choose, connected, violations, write

# One theme per width; `make verify` takes all four.
VIEWS = {"light-1440": ("light", False), "dark-390": ("dark", True)}
OTHERS = {"dark-1440": ("dark", False), "light-390": ("light", True)}
if os.environ.get("VERIFY") == "1":
    VIEWS = OTHERS = VIEWS | OTHERS


@pytest.mark.parametrize(("theme", "small"), VIEWS.values(), ids=VIEWS)
def test_axe_finds_nothing_on_the_chat_page_in_any_state(open_page: OpenPage, theme: str, small: bool) -> None:
    page = (
        connected(open_page("/", theme=theme, small=small)) if not small else open_page("/", theme=theme, small=small)
    )
    expect(page.locator(".welcome")).to_be_visible()
    assert violations(page) == [], "empty"
    page.locator("#model-button").click()
    page.get_by_role("switch", name="cannot be called yet").check()
    page.get_by_role("combobox", name="Filter models").fill("gpt-4o")
    assert violations(page) == [], "picker"
    page.get_by_role("combobox", name="Filter models").fill("demo/story")
    page.keyboard.press("Enter")
    page.get_by_label("Message", exact=True).fill("a story")
    page.get_by_role("button", name="Send").click()
    wait_until(lambda: len(page.locator(".prose").inner_text()) > 10)
    assert violations(page) == [], "streaming"
    expect(page.get_by_test_id("receipt-time")).to_be_visible()
    page.get_by_role("button", name="Itemised receipt").click()
    assert violations(page) == [], "receipt"
    page.locator("#settings-button").click()
    expect(page.get_by_role("dialog", name="System prompt and parameters")).to_be_visible()
    assert violations(page) == [], "parameters"
    page.keyboard.press("Escape")
    if small:
        page.get_by_role("button", name="Open the navigation").click()
        page.wait_for_timeout(250)
        assert violations(page) == [], "drawer"


@pytest.mark.parametrize(("theme", "small"), OTHERS.values(), ids=OTHERS)
def test_axe_finds_nothing_in_any_component(open_page: OpenPage, theme: str, small: bool) -> None:
    page = open_page("/ui/kit", theme=theme, small=small)
    expect(page.locator("figure .hljs-keyword").first).to_be_visible()
    assert violations(page) == []
    page.locator("#open-toast").click()
    page.locator("#open-dialog").click()
    page.wait_for_timeout(250)
    assert violations(page) == [], "dialog and toast"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_beside_an_error_and_on_a_missing_page(open_page: OpenPage, theme: str) -> None:
    page = connected(open_page("/", theme=theme))
    ask(page, "fails", "demo/error")
    assert violations(page) == [], "error"
    page.keyboard.press("Control+/")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.wait_for_timeout(250)
    assert violations(page) == [], "help"
    page.goto(page.url.split("/c/")[0] + "/nowhere")
    expect(page.get_by_text("There is no such page.")).to_be_visible()
    assert violations(page) == [], "missing page"


@pytest.mark.parametrize("width", [320, 390, 768, 1024])
def test_nothing_scrolls_sideways(open_page: OpenPage, width: int) -> None:
    page = connected(open_page("/", viewport={"width": width, "height": 700}))
    too_wide = "() => document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(too_wide) <= 0
    ask(page, "\n\n```\n" + "long " * 80 + "\n```\n\n" + "x" * 400, "demo/echo")
    page.get_by_role("button", name="Itemised receipt").click()
    assert page.evaluate(too_wide) <= 0
    scrolled = page.locator("#scroll").evaluate("e => e.scrollWidth - e.clientWidth")
    assert scrolled <= 0
    page.goto(page.url.split("/c/")[0] + "/ui/kit")
    expect(page.get_by_role("button", name="Primary")).to_be_visible()
    assert page.evaluate(too_wide) <= 0


def test_targets_are_large_enough(open_page: OpenPage) -> None:
    small = """(least) => [...document.querySelectorAll('a, button, input, select, textarea, [role=option]')]
      .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.closest('.prose p, .sr, .skip, .facts'))
      .map(e => [e.outerHTML.slice(0, 120), e.getBoundingClientRect()])
      .filter(([, box]) => box.width && Math.min(box.width, box.height) < least).map(([html]) => html)"""
    page = connected(open_page("/"))
    ask(page, "hello", "demo/echo")
    assert [html for html in page.evaluate(small, 24) if 'type="checkbox"' not in html] == []
    phone = open_page("/", small=True, is_mobile=True)
    expect(phone.locator(".welcome")).to_be_visible()
    main = phone.locator("#model-button, .send, .field, .top .drawer-only")
    heights = main.evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
    assert min(heights) >= 44


def test_a_talk_can_be_had_by_keyboard_alone(page: Page) -> None:
    connected(page)
    choose(page, "demo/story")
    write(page, "by keyboard")
    wait_until(lambda: len(page.locator(".prose").inner_text()) > 10)
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped by you")).to_be_visible()
    expect(page.get_by_label("Message", exact=True)).to_be_focused()
    focused = "() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()"
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("() => document.activeElement.matches(':focus-visible')")
        if page.evaluate(focused) == "Regenerate":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="Answer 2 of 2")).to_be_visible(timeout=8000)
    page.keyboard.press("Control+/")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    for _ in range(4):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "() => document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_escape_closes_only_the_topmost_layer(page: Page) -> None:
    connected(page)
    choose(page, "openai/gpt-4o")
    write(page, "{{tokens=300 delay_ms=20}}")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Control+.")
    expect(page.get_by_role("dialog", name="System prompt and parameters")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="System prompt and parameters")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)


def test_the_theme_follows_the_system_until_one_is_chosen(open_page: OpenPage) -> None:
    page = open_page("/", theme="light")
    colour = "() => getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(colour) == "rgb(250, 249, 246)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colour) == "rgb(20, 23, 22)"
    page.get_by_role("button", name="Theme: System").click()
    expect(page.get_by_role("button", name="Theme: Light")).to_be_visible()
    assert page.evaluate(colour) == "rgb(250, 249, 246)"
    page.get_by_role("button", name="Theme: Light").click()
    page.emulate_media(color_scheme="light")
    page.goto(page.url, wait_until="commit")
    page.wait_for_selector("body")
    assert page.evaluate(colour) == "rgb(20, 23, 22)"


def test_nothing_moves_for_those_who_want_it_still(open_page: OpenPage) -> None:
    page = connected(open_page("/", reduced_motion="reduce"))
    choose(page, "demo/story")
    write(page, "a story")
    expect(page.locator(".prose")).to_contain_text("demo")
    running = "() => document.getAnimations().filter(one => one.playState === 'running').length"
    assert page.evaluate(running) == 0
    page.emulate_media(forced_colors="active")
    outline = "() => getComputedStyle(document.querySelector('#model-button')).borderStyle"
    assert page.evaluate(outline) == "solid"


def test_an_input_method_does_not_send(page: Page) -> None:
    connected(page)
    box = page.get_by_label("Message", exact=True)
    box.fill("にほん")
    box.dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    assert page.locator(".answer").count() == 0


@pytest.mark.parametrize(("chord", "panel"), [("Control+.", ".settings"), ("Control+m", ".picker")])
def test_a_closed_layer_takes_no_focus_from_where_it_went_since(page: Page, chord: str, panel: str) -> None:
    page.keyboard.press(chord)
    expect(page.locator(panel)).to_be_visible()
    page.evaluate(
        "panel => { document.querySelector(panel).hidePopover(); document.getElementById('user').querySelector('input').focus(); }",
        panel,
    )
    expect(page.locator(panel)).to_have_count(0)
    expect(page.locator("#user input")).to_be_focused()
