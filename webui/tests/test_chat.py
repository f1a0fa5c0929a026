"""The chat page against the real API service: figures, streaming, stop, errors, what is kept."""

import re
import secrets
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from stack import ApiService, Mock, running_api, running_webui, wait_until
from steps import OpenPage, ask, choose, connected, origin, record_of, request_id, write

GPT = "openai/gpt-4o"


def marker() -> str:
    """A word by which the mock upstream knows a call again."""
    return f"m-{secrets.token_hex(6)}"


def test_the_first_page_has_one_heading_a_title_and_the_focus_in_the_composer(page: Page) -> None:
    connected(page)
    assert page.locator("h1").count() == 1
    assert page.title() == "New chat · Gateway"
    expect(page.get_by_label("Message", exact=True)).to_be_focused()


def test_without_javascript_the_shell_stands_and_says_so(open_page: OpenPage) -> None:
    page = open_page("/", java_script_enabled=False)
    expect(page.get_by_role("link", name="Usage")).to_be_visible()
    expect(page.locator("noscript p")).to_be_visible()


def test_the_status_follows_the_api_as_it_goes_and_comes(open_page: OpenPage, tmp_path: Path, mock: Mock) -> None:
    with running_api(tmp_path / "api", mock.url) as own, running_webui(tmp_path, own.url) as console:
        page = connected(open_page("/", url=console.url))
        page.get_by_label("Message", exact=True).fill("typed before the outage")
        own.kill()
        expect(page.get_by_test_id("connection")).to_contain_text(re.compile("Reconnecting|offline"), timeout=7000)
        expect(page.locator("#announce-connection")).to_have_text(re.compile("reconnecting|offline"))
        assert page.get_by_role("button", name="Send").get_attribute("aria-disabled") == "true"
        page.reload()
        expect(page.get_by_label("Message", exact=True)).to_have_value("typed before the outage")
        own.start()
        expect(page.get_by_test_id("connection")).to_contain_text("API connected", timeout=16_000)
        expect(page.locator("#announce-connection")).to_have_text("API connected")
        answer = ask(page, "and after it", "demo/echo")
        expect(answer).to_contain_text("and after it")


def test_the_user_id_reaches_the_api_and_is_kept(page: Page) -> None:
    connected(page)
    name = f"<b>alice</b> {secrets.token_hex(4)}"
    page.get_by_label("User").fill(name)
    answer = ask(page, "who am I?", "demo/echo")
    assert record_of(page, answer)["user_id"] == name
    page.reload()
    expect(page.get_by_label("User")).to_have_value(name)
    assert page.locator("b:has-text('alice')").count() == 0


def test_a_user_id_that_is_too_long_is_refused_and_an_empty_one_is_left_out(page: Page) -> None:
    connected(page)
    page.get_by_label("User").fill("x" * 300)
    expect(page.get_by_role("alert")).to_contain_text("At most 256 characters")
    assert page.get_by_role("button", name="Send").get_attribute("aria-disabled") == "true"
    page.get_by_label("User").fill("")
    with page.expect_request("**/api/chat") as sent:
        ask(page, "nobody asks", "demo/echo")
    assert "user_id" not in sent.value.post_data_json


def test_the_picker_lists_every_model_and_is_worked_by_keyboard(page: Page) -> None:
    connected(page)
    listed = page.request.get(f"{origin(page)}/api/models").json()["providers"]
    total = sum(len(group["models"]) for group in listed.values())
    page.keyboard.press("Control+m")
    expect(page.get_by_role("combobox", name="Filter models")).to_be_focused()
    page.get_by_role("switch", name="cannot be called yet").check()
    expect(page.get_by_role("option")).to_have_count(total)
    anthropic = page.get_by_role("group", name=re.compile("^Anthropic"))
    expect(anthropic).to_contain_text("ANTHROPIC_API_KEY=…")
    assert page.get_by_role("option").filter(has_not_text=re.compile(r"per M|free|not priced")).count() == 0
    page.get_by_role("combobox", name="Filter models").fill("demo")
    page.keyboard.press("ArrowDown")
    chosen = page.locator("[role=option][aria-selected=true] .option-name").first.inner_text()
    page.keyboard.press("Enter")
    expect(page.locator("#model-button")).to_contain_text(chosen)
    expect(page.locator("#model-button")).to_be_focused()
    page.reload()
    expect(page.locator("#model-button")).to_contain_text(chosen)


def test_the_filter_stays_in_view_where_the_chosen_model_is_far_down(page: Page) -> None:
    connected(page)
    choose(page, "demo/echo")
    page.locator("#model-button").click()
    expect(page.get_by_role("option", name="echo")).to_be_in_viewport()
    expect(page.get_by_role("combobox", name="Filter models")).to_be_in_viewport(ratio=1)
    assert page.locator(".picker").evaluate("panel => panel.scrollTop") == 0


def test_the_receipt_equals_the_record_of_the_api(page: Page) -> None:
    answer = ask(connected(page), "a priced answer", "demo/priced")
    record = record_of(page, answer)
    tokens = record["tokens"]
    assert answer.get_by_test_id("receipt-tokens").inner_text() == f"{tokens['prompt']} in → {tokens['completion']} out"
    assert answer.get_by_test_id("receipt-cost").inner_text() == f"${record['cost_usd']:.9f}".rstrip("0")
    assert page.evaluate("id => document.body.innerHTML.includes(id)", record["request_id"])
    answer.get_by_role("button", name="Itemised receipt").click()
    cells = answer.get_by_test_id("bill").locator("tbody td:last-child")
    expect(cells).to_have_count(2)
    assert sum(round(float(amount[1:]) * 1e9) for amount in cells.all_inner_texts()) == record["cost_nano_usd"]


def test_the_times_are_those_of_the_upstream(page: Page) -> None:
    answer = ask(connected(page), "{{first_ms=300 delay_ms=25 tokens=20}}", GPT)
    record = record_of(page, answer)
    assert 0.3 <= record["time_to_first_token"] < 0.6
    assert 0.7 <= record["response_time"] < 1.3
    assert (
        answer.get_by_test_id("receipt-first").inner_text()
        == f"{record['time_to_first_token'] * 1000:.0f} ms first token"
    )


def test_a_model_without_a_price_is_not_priced_and_never_free(page: Page) -> None:
    answer = ask(connected(page), "what does this cost?", "openai/no-such-price")
    assert answer.get_by_test_id("receipt-cost").inner_text() == "not priced"
    assert "$0" not in answer.inner_text()


@pytest.mark.parametrize(("fault", "word"), [("usage-cached", "cached"), ("reasoning", "reasoning")])
def test_rare_tokens_appear_when_the_provider_reports_them(page: Page, fault: str, word: str) -> None:
    answer = ask(connected(page), f"{{{{fault={fault}}}}}", GPT)
    assert word in answer.get_by_test_id("receipt-tokens").inner_text()
    plain = ask(page, "{{tokens=5}}")
    assert word not in plain.get_by_test_id("receipt-tokens").inner_text()


def test_the_request_id_opens_its_page(page: Page) -> None:
    answer = ask(connected(page), "look me up", "demo/echo")
    whole = request_id(answer)
    answer.get_by_test_id("receipt-id").click()
    expect(page).to_have_url(f"{origin(page)}/requests/{whole}")


def test_text_comes_progressively_and_is_announced_once(page: Page) -> None:
    connected(page)
    choose(page, "demo/story")
    page.evaluate(
        """() => {
          window.lengths = new Set(); window.said = [];
          new MutationObserver(() => window.lengths.add(document.querySelector('.prose')?.textContent.length ?? 0))
            .observe(document.getElementById('log'), {childList: true, subtree: true, characterData: true});
          const status = document.getElementById('announce');
          new MutationObserver(() => status.textContent && window.said.push(status.textContent))
            .observe(status, {childList: true});
        }"""
    )
    ask(page, "tell me a story")
    wait_until(lambda: page.evaluate("window.said.length") >= 2)
    assert page.evaluate("window.lengths.size") >= 5
    said = page.evaluate("window.said")
    assert said[0] == "Generating"
    assert re.fullmatch(r"Answer ready, \d+ tokens, [\d.]+ (milli)?seconds, 0 cents", said[1])
    assert len(said) == 2


def test_stop_reaches_the_provider_and_keeps_what_came(page: Page, mock: Mock) -> None:
    connected(page)
    choose(page, GPT)
    mark = marker()
    write(page, f"{mark} {{{{tokens=400 delay_ms=25}}}}")
    prose = page.locator(".prose").last
    wait_until(lambda: len(prose.inner_text()) > 20)
    page.keyboard.press("Escape")
    began = time.time()
    text = prose.inner_text()
    page.wait_for_timeout(300)
    assert len(prose.inner_text()) - len(text) < 40
    mock.ended_call(mark, deadline_s=2)
    assert time.time() - began < 2
    answer = page.locator(".answer").last
    expect(answer).to_contain_text("Stopped by you after")
    expect(answer.get_by_test_id("receipt-cost")).to_be_visible()
    assert record_of(page, answer)["http_status"] == 499
    kept = prose.inner_text()
    page.reload()
    expect(page.locator(".prose").last).to_have_text(kept)
    expect(page.locator(".answer").last).to_contain_text("Stopped by you")


def test_stop_before_the_first_word_finds_its_record(page: Page, mock: Mock) -> None:
    connected(page)
    page.get_by_label("User").fill(secrets.token_hex(8))
    choose(page, GPT)
    mark = marker()
    write(page, f"{mark} {{{{first_ms=20000}}}}")
    wait_until(lambda: mock.calls(mark))
    expect(page.locator(".waiting")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    mock.ended_call(mark, deadline_s=2)
    answer = page.locator(".answer").last
    expect(answer.get_by_test_id("receipt-status")).to_have_text("499")


def test_an_answer_that_is_cut_keeps_its_text_and_can_be_tried_again(page: Page) -> None:
    connected(page)
    answer = ask(page, f"{marker()} {{{{fault=reset-mid after=8 tokens=20 times=1}}}}", GPT)
    assert len(answer.locator(".prose").inner_text()) > 10
    failure = answer.locator(".failure")
    expect(failure).to_contain_text("The provider is not answering well.")
    failure.get_by_role("button", name="Try again").click()
    expect(page.locator(".answer .failure")).to_have_count(0)
    expect(page.get_by_test_id("receipt-time")).to_be_visible()
    page.get_by_role("button", name="Earlier answer").click()
    expect(page.locator(".answer .failure")).to_be_visible()


ERRORS = (
    ("{{fault=400}}", GPT, "400", "refused the request"),
    ("{{fault=401}}", GPT, "502", "OPENAI_API_KEY=…"),
    ("{{fault=402}}", GPT, "402", "paid first"),
    ("{{fault=403}}", GPT, "502", "OPENAI_API_KEY=…"),
    ("{{fault=404}}", GPT, "404", "no such model"),
    ("{{fault=500}}", GPT, "502", "not answering well"),
    ("{{fault=529}}", GPT, "503", "not answering well"),
    ("hello", "demo/error", "503", "not answering well"),
    ("hello", "nosuchprovider/x", "404", "no such model"),
    ("hello", "anthropic/claude-sonnet-4-5", "503", "ANTHROPIC_API_KEY=…"),
)


def test_an_error_says_what_happened_and_whether_it_was_billed(page: Page) -> None:
    connected(page)
    for text, model, status, words in ERRORS:
        page.evaluate("model => localStorage.setItem('gateway.model', model)", model)
        page.goto(origin(page))
        expect(page.get_by_test_id("connection")).to_contain_text("API connected")
        failure = ask(page, text).locator(".failure")
        expect(failure).to_contain_text(words)
        expect(failure.locator(".tag")).to_have_text(status)
        expect(failure).to_contain_text("Nothing was billed.")
        expect(failure.get_by_role("button").first).to_be_visible()
        assert len(request_id(page.locator(".answer").last)) == 36


def test_a_rate_limit_counts_down_to_the_next_try(page: Page) -> None:
    answer = ask(connected(page), "{{fault=429 retry_after=30}}", GPT)
    first = answer.get_by_test_id("countdown").inner_text()
    wait_until(lambda: answer.get_by_test_id("countdown").inner_text() != first)
    expect(answer.get_by_role("button", name="Retry now")).to_be_visible()
    expect(answer.get_by_role("button", name="Use another model")).to_be_visible()


def test_parameters_and_system_prompt_reach_the_api_and_defaults_send_nothing(page: Page) -> None:
    connected(page)
    choose(page, "demo/echo")
    with page.expect_request("**/api/chat") as sent:
        ask(page, "plain")
    assert set(sent.value.post_data_json) == {"model", "messages", "stream", "include", "application_id"}
    page.keyboard.press("Control+.")
    page.get_by_role("textbox", name="System prompt").fill("Be brief.")
    page.get_by_label("Temperature").fill("7")
    expect(page.get_by_text("This takes 0 to 2.")).to_be_visible()
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_label("Most output tokens").fill("64")
    page.get_by_label("Reasoning effort").select_option("low")
    page.keyboard.press("Escape")
    with page.expect_request("**/api/chat") as sent:
        ask(page, "with all")
    body = sent.value.post_data_json
    assert body["system"] == "Be brief."
    assert (body["temperature"], body["max_tokens"], body["reasoning_effort"]) == (0.5, 64, "low")
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]


def test_the_first_run_says_what_to_put_where(open_page: OpenPage, tmp_path: Path, mock: Mock) -> None:
    nothing = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
    with running_api(tmp_path / "api", mock.url, None, **nothing) as own, running_webui(tmp_path, own.url) as console:
        page = connected(open_page("/", url=console.url))
        expect(page.get_by_role("heading", name="No provider is configured yet")).to_be_visible()
        expect(page.locator(".first-run pre")).to_contain_text("OPENAI_API_KEY=…")
        expect(page.locator("#model-button")).to_have_attribute("data-model", "demo/story")


def test_a_message_of_many_lines_is_pasted_and_folded(page: Page) -> None:
    connected(page)
    choose(page, "demo/echo")
    began = time.time()
    page.evaluate("navigator.clipboard.writeText('line\\n'.repeat(20000))")
    page.get_by_label("Message", exact=True).press("Control+v")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert time.time() - began < 3
    page.get_by_label("Message", exact=True).fill("line\n" * 60)
    page.get_by_label("Message", exact=True).press("Enter")
    expect(page.get_by_role("button", name="Show all")).to_be_visible()


def test_the_api_records_the_chat_under_its_application(page: Page, api: ApiService) -> None:
    answer = ask(connected(page), "who sent this?", "demo/echo")
    rows = api.rows("SELECT application_id, query, status FROM requests WHERE id = ?", request_id(answer))
    assert rows == [{"application_id": "webui", "query": "who sent this?", "status": "success"}]
