"""The usage and request pages against the real API service over a seeded database; the browser's clock is fixed."""

import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect
from seeded import UNPRICED, ZONES, Shape, fill

from stack import ApiService, Mock, WebUI, post_json, running_api, running_webui
from steps import OpenPage, violations

NOW = datetime(2026, 11, 1, 11, 40, tzinfo=UTC)
SHAPE = Shape(requests=2_000, days=12, to_ms=int(NOW.timestamp() * 1000))
NO_KEY = {"GATEWAY_ADMIN_KEY_FILE": "/nonexistent"}
MEASURES = ("spend", "requests", "tokens")
SUMS = """
SELECT count(*) FILTER (WHERE final AND kind != 3) AS requests, coalesce(sum(cost_nano_usd), 0) AS spend,
    sum(input_tokens + cache_read_tokens + cache_write_tokens + output_tokens + reasoning_tokens) AS tokens
FROM ledger WHERE admitted_at_ms >= ? AND admitted_at_ms < ?
"""
Seen = Callable[..., Page]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, mock: Mock) -> Iterator[ApiService]:
    folder = tmp_path_factory.mktemp("seeded")
    fill(folder / "seeded.db", SHAPE)
    with running_api(folder, mock.url, folder / "seeded.db") as running:
        yield running


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, gateway: ApiService) -> Iterator[WebUI]:
    with running_webui(tmp_path_factory.mktemp("console"), gateway.url, **NO_KEY) as running:
        yield running


@pytest.fixture
def seen(open_page: OpenPage, console: WebUI) -> Seen:
    """Opens a page of the seeded console at the fixed time and waits until every card has loaded."""

    def opened(path: str = "/usage?tz=UTC", **how: Any) -> Page:
        page = open_page("/health", url=console.url, timezone_id="Europe/Paris", **how)
        page.clock.set_fixed_time(NOW)
        page.goto(console.url + path)
        return settled(page)

    return opened


def settled(page: Page) -> Page:
    """Wait until no card is loading."""
    expect(page.locator("[aria-busy=false]").first).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    return page


def card(page: Page, name: str) -> Locator:
    return page.get_by_test_id(f"card-{name}")


def tile(page: Page, name: str) -> Locator:
    return page.get_by_test_id(f"tile-{name}")


def as_table(page: Page, name: str) -> Locator:
    """Switch a card to its table."""
    card(page, name).get_by_role("button", name="View as table").click()
    table = card(page, name).get_by_role("table")
    expect(table).to_be_visible()
    return table


def figures(cells: Locator) -> list[int]:
    return [int(text or 0) for text in cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")]


def nano(words: str | None) -> int:
    """An exact cost as nano-USD."""
    dollars, _, fraction = re.sub(r"[^0-9.]", "", words or "").partition(".")
    return int(dollars) * 10**9 + int(fraction.ljust(9, "0"))


def bounds(zone: str, first: date, last: date) -> tuple[int, int]:
    ends = (first, last + timedelta(days=1))
    start, stop = (int(datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)).timestamp() * 1000) for d in ends)
    return start, stop


def sums(gateway: ApiService, start_ms: int, stop_ms: int) -> dict[str, int]:
    return {name: value or 0 for name, value in gateway.rows(SUMS, start_ms, stop_ms)[0].items()}


def test_the_tiles_have_figures_with_units(seen: Seen) -> None:
    page = seen()
    expect(tile(page, "spend").locator(".value")).to_have_text(re.compile(r"^≥ \$\d+\.\d\d$"))
    expect(tile(page, "requests")).to_contain_text(re.compile(r"2,0\d\d.*% failed|\d,\d{3}.*% failed"))
    expect(tile(page, "tokens")).to_contain_text(re.compile(r"\d M.* in \(.*% cached\) · .* out"))
    expect(tile(page, "latency")).to_contain_text(re.compile(r"\d (m?s).*p50 \d.* · p99 \d"))
    expect(tile(page, "first-token")).to_contain_text(re.compile(r"\d (m?s).*gateway adds \d.*ms p95"))
    assert page.locator("h1").count() == 1
    expect(page.get_by_test_id("range")).to_have_text("Last 30 days · UTC")
    expect(page.get_by_test_id("as-of")).to_have_text(re.compile(r"as of \d\d:\d\d:\d\d"))


def test_each_breakdown_sums_to_the_tiles_and_to_the_rows(seen: Seen, gateway: ApiService) -> None:
    page = seen()
    whole = sums(gateway, 0, SHAPE.to_ms)
    for dimension in ("application_id", "model", "provider", "user_id"):
        table = as_table(page, f"by-{dimension}")
        assert sum(figures(table.locator("td[data-column=requests]"))) == whole["requests"]
        assert sum(figures(table.locator("td[data-column=cost]"))) == whole["spend"]
    expect(tile(page, "requests").locator(".value")).to_have_text(f"{whole['requests']:,}")
    assert nano(tile(page, "spend").locator(".value").get_attribute("title")) == whole["spend"]


def test_days_of_a_zone_are_its_own_and_add_up_to_the_range(seen: Seen, gateway: ApiService) -> None:
    first, last = date(2026, 10, 23), date(2026, 10, 31)
    days = [first + timedelta(days=n) for n in range(9)]
    page = seen(f"/usage?range=custom&from={first}&to={last}&tz={ZONES[0]}")
    as_table(page, "chart")
    for zone in ZONES:
        page.get_by_test_id("range").click()
        page.get_by_label("Time zone", exact=True).fill(zone)
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("range")).to_contain_text(zone)
        by_day = [sums(gateway, *bounds(zone, day, day)) for day in days]
        whole = sums(gateway, *bounds(zone, first, last))
        for measure in MEASURES:
            page.get_by_role("button", name=measure.capitalize(), exact=True).click()
            settled(page)
            table = page.get_by_test_id("chart-table")
            expected = [day[measure] for day in by_day]
            assert figures(table.locator("tbody td[data-column=total]")) == expected
            assert figures(table.locator("tfoot td").last) == [sum(expected)] == [whole[measure]]


def test_what_has_no_price_is_never_zero_dollars(seen: Seen) -> None:
    page = seen()
    expect(tile(page, "spend")).to_contain_text(re.compile(r"≥.*9\d(\.\d)?% priced · [\d,]+ requests? not priced"))
    row = as_table(page, "by-model").get_by_role("row", name=UNPRICED)
    expect(row.locator("[data-column=cost]")).to_have_text("not priced")
    page.goto(page.url + f"&model={UNPRICED}")
    expect(tile(settled(page), "spend").locator(".value")).to_have_text("not priced")
    expect(card(page, "chart").locator(".legend .num").first).to_have_text("not priced")
    expect(as_table(page, "chart").locator("tfoot td").last).to_have_text("not priced")
    listed = page.get_by_test_id("request-row").first
    expect(listed).to_contain_text("not priced")
    listed.get_by_role("link").click()
    expect(page.get_by_test_id("bill-total")).to_have_text("not priced")
    assert "$0" not in page.locator("#page").inner_text().replace("never as $0", "").replace("$0.00", "")


def test_requests_are_found_by_what_their_status_means(seen: Seen, gateway: ApiService) -> None:
    page = seen("/requests?tz=UTC")
    page.get_by_role("button", name="Add filter").click()
    panel = page.get_by_role("dialog", name="Add a filter")
    panel.get_by_label("Filter by").select_option("http_status")
    panel.get_by_label("Find a value").fill("rate limited")
    panel.get_by_role("button", name="429 rate limited").click()
    expect(page.get_by_role("button", name="Remove the filter HTTP status: 429 rate limited")).to_be_visible()
    rows = settled(page).get_by_test_id("request-row")
    limited = gateway.rows("SELECT count(*) AS n FROM requests WHERE http_status = 429")[0]["n"]
    assert 0 < rows.count() <= limited
    expect(rows.first).to_contain_text("rate limited: The provider answered 429")
    expect(rows.first.get_by_role("button", name="429 rate limited")).to_be_visible()
    assert card(page, "requests").evaluate("card => card.scrollWidth - card.clientWidth") <= 0
    assert parse_qs(urlsplit(page.url).query)["http_status"] == ["429"]


def test_a_row_leads_to_everything_about_its_request(seen: Seen, gateway: ApiService) -> None:
    page = seen("/usage?tz=UTC&model=openai/gpt-4o&status=success")
    page.get_by_test_id("request-row").first.get_by_role("link").click()
    expect(card(page, "timeline")).to_contain_text("Wait for first token")
    request_id = page.get_by_test_id("request-id").inner_text()
    record = page.request.get(f"{gateway.url}/api/requests/{request_id}").json()
    expect(page).to_have_url(re.compile(f"/requests/{request_id}$"))
    expect(card(page, "content")).to_contain_text(record["query"])
    expect(page.get_by_test_id("response")).to_contain_text(record["response"])
    lines = (
        card(page, "receipt").locator("tbody tr").evaluate_all("rows => rows.map(row => Number(row.dataset.amount))")
    )
    assert sum(lines) == record["cost_nano_usd"]
    assert nano(page.get_by_test_id("bill-total").inner_text()) == record["cost_nano_usd"]
    expect(page.get_by_test_id("receipt-tokens")).to_contain_text(f"{record['tokens']['completion']:,} out")
    assert card(page, "attempts").locator("tbody tr").count() == len(record["attempts_list"])
    page.get_by_role("button", name="Show JSON").click()
    expect(card(page, "raw").locator("pre")).to_contain_text(f'"request_id": "{request_id}"')
    page.get_by_role("button", name="Copy id").click()
    assert page.evaluate("navigator.clipboard.readText()") == request_id


def test_an_unknown_request_says_so(seen: Seen) -> None:
    page = seen("/usage?tz=UTC")
    page.goto(re.sub(r"/usage.*", "/requests/01a208e7-6d96-7f60-8f3a-5aea9af1bd8c", page.url))
    expect(page.get_by_test_id("not-found")).to_contain_text("There is no such request")
    assert violations(page) == []


def test_search_by_id_goes_over_all_time(seen: Seen, gateway: ApiService) -> None:
    page = seen("/usage?range=custom&from=2026-10-31&to=2026-10-31&tz=UTC")
    oldest = gateway.rows("SELECT min(id) AS id FROM requests")[0]["id"]
    field = page.get_by_label("Find by request id")
    field.fill(oldest[:20])
    expect(page.get_by_test_id("found-note")).to_contain_text("outside the range")
    expect(page.locator(f"[data-id='{oldest}']")).to_be_visible()
    field.fill("ffffffff")
    expect(page.get_by_test_id("nothing-found")).to_contain_text("No request has an id that begins with ffffffff")
    field.fill("hello")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("")
    expect(page.get_by_test_id("request-row")).to_have_count(20)


def test_failed_requests_are_listed_with_status_and_reason(seen: Seen) -> None:
    page = seen("/usage?tz=UTC&status=error")
    row = page.get_by_test_id("request-row").filter(has=page.get_by_text("502", exact=True)).first
    expect(row).to_contain_text("The provider answered 502")
    row.get_by_role("link").click()
    expect(page.get_by_test_id("error-message")).to_contain_text("The provider answered 502")
    expect(page.get_by_test_id("response")).to_contain_text("No answer came")


def test_filters_live_in_the_address_and_back_undoes_one(seen: Seen, gateway: ApiService) -> None:
    page = seen()
    filters = {"application": "app-0", "model": "openai/gpt-4o", "user": "user-0", "status": "success"}
    for dimension, value in filters.items():
        page.get_by_role("button", name="Add filter").click()
        page.get_by_label("Filter by").select_option(label=dimension)
        page.get_by_role("dialog").get_by_role("button", name=value).first.click()
        settled(page)
    query = parse_qs(urlsplit(page.url).query)
    assert {"application_id": query["application_id"], "status": query["status"]} == {
        "application_id": ["app-0"],
        "status": ["success"],
    }
    matching = gateway.rows(
        "SELECT count(*) AS n FROM requests WHERE application_id = 'app-0' AND model = 'openai/gpt-4o' AND user_id = 'user-0'"
        " AND status = 'success'"
    )[0]["n"]
    expect(tile(page, "requests").locator(".value")).to_have_text(str(matching))
    expect(tile(page, "latency").locator(".value")).to_have_text("–")
    other = seen(page.url.removeprefix(re.sub(r"/usage.*", "", page.url)))
    for name in ("card-tiles", "card-by-provider", "card-requests"):
        assert other.get_by_test_id(name).inner_text() == page.get_by_test_id(name).inner_text()
    page.go_back()
    expect(page.get_by_role("button", name=re.compile("^Remove the filter"))).to_have_count(3)


def test_a_click_on_a_bar_adds_its_filter_and_the_chip_removes_it(seen: Seen) -> None:
    page = seen()
    name = card(page, "by-application_id").locator(".bars button").first
    name.click()
    chip = page.get_by_role("button", name="Remove the filter application: app-0")
    expect(chip).to_be_visible()
    expect(card(settled(page), "by-application_id").locator(".bars li")).to_have_count(1)
    chip.press("Enter")
    expect(chip).to_have_count(0)
    card(settled(page), "chart").locator(".bar-piece.s1").last.click()
    expect(page.get_by_role("button", name=re.compile("Remove the filter model: "))).to_be_visible()


def test_ranges_by_preset_and_by_days(seen: Seen) -> None:
    page = seen()
    page.get_by_test_id("range").click()
    expect(page.get_by_role("button", name="Last 30 days", exact=True)).to_be_focused()
    page.get_by_role("button", name="Last 7 days").click()
    expect(page).to_have_url(re.compile("range=7d"))
    settled(page).get_by_test_id("range").click()
    page.get_by_label("First day").fill("2026-10-30")
    page.get_by_label("Last day").fill("2026-10-29")
    page.get_by_role("button", name="Show these days").click()
    last = page.get_by_label("Last day")
    expect(last).to_have_attribute("aria-invalid", "true")
    problem = page.locator(f"[id='{last.get_attribute('aria-describedby')}']")
    expect(problem).to_have_text("The last day is before the first one. Choose a later last day.")
    assert violations(page) == []
    last.fill("2026-10-31")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("range=custom&from=2026-10-30&to=2026-10-31"))
    expect(settled(page).get_by_test_id("range")).to_contain_text("2026-10-30 to 2026-10-31")
    page.get_by_test_id("range").click()
    page.get_by_label("Time zone", exact=True).fill("Mars/Base")
    page.keyboard.press("Enter")
    expect(page.get_by_text("There is no such time zone.")).to_be_visible()
    page.get_by_label("Time zone", exact=True).fill("Asia/Kathmandu")
    page.keyboard.press("Tab")
    expect(page).to_have_url(re.compile("tz=Asia/Kathmandu"))


def test_figures_are_compared_with_the_period_before(seen: Seen, gateway: ApiService) -> None:
    page = seen("/usage?range=custom&from=2026-10-29&to=2026-10-30&tz=UTC")
    now = sums(gateway, *bounds("UTC", date(2026, 10, 29), date(2026, 10, 30)))["requests"]
    before = sums(gateway, *bounds("UTC", date(2026, 10, 27), date(2026, 10, 28)))["requests"]
    part = (now - before) / before * 100
    size = f"{abs(part):.1f}" if abs(part) < 10 else f"{abs(part):.0f}"
    words = f"{'+' if part > 0 else '−'}{size}% on" if abs(part) >= 0.05 else "same as"
    expect(tile(page, "requests").get_by_test_id("change")).to_have_text(f"{words} the period before")
    page.goto(page.url.replace("2026-10-29", "2026-10-20").replace("2026-10-30", "2026-11-01"))
    expect(tile(settled(page), "requests").get_by_test_id("change")).to_have_text("new: none in the period before")


def test_every_column_sorts_over_all_rows(seen: Seen) -> None:
    page = seen()
    table = as_table(page, "by-user_id")
    assert table.locator("tbody tr").count() == SHAPE.users
    for head in table.get_by_role("columnheader").all():
        head.get_by_role("button").click()
        first = head.get_attribute("aria-sort")
        assert first in {"ascending", "descending"}
        head.get_by_role("button").press("Enter")
        assert {first, head.get_attribute("aria-sort")} == {"ascending", "descending"}
        assert table.locator("[aria-sort=ascending], [aria-sort=descending]").count() == 1
    table.get_by_role("button", name="Requests").click()
    shown = figures(table.locator("td[data-column=requests]"))
    assert shown == sorted(shown, reverse=True)


def test_pages_miss_and_repeat_nothing_while_requests_come_in(seen: Seen, gateway: ApiService) -> None:
    page = seen("/requests?range=30d&tz=UTC&application_id=app-3")
    expected = {row["id"] for row in gateway.rows("SELECT id FROM requests WHERE application_id = 'app-3'")}
    assert len(expected) > 120
    older = page.get_by_role("button", name="Older requests")
    rows = page.get_by_test_id("request-row")
    while older.count():
        body = {"query": "hi", "model": "demo/echo", "user_id": "u", "application_id": "app-3"}
        assert post_json(f"{gateway.url}/api/chat", body)[0] == 200
        before = rows.count()
        older.click()
        expect(rows.nth(before)).to_be_visible()
        settled(page)
    listed = rows.evaluate_all("rows => rows.map(row => row.dataset.id)")
    assert len(listed) == len(set(listed))
    assert set(listed) == expected
    assert listed == sorted(listed, reverse=True)


def test_one_failing_card_leaves_the_others_and_can_be_retried(seen: Seen, open_page: OpenPage, console: WebUI) -> None:
    page = open_page("/health", url=console.url)
    page.clock.set_fixed_time(NOW)
    page.route(re.compile("group_by=provider"), lambda route: route.fulfill(status=500, body="broken"))
    page.route(re.compile("group_by=user_id"), lambda _route: None)
    page.goto(console.url + "/usage?tz=UTC")
    alert = card(page, "by-provider").get_by_role("alert")
    expect(alert).to_contain_text("broken")
    expect(card(page, "by-model").locator(".bars li")).to_have_count(6)
    expect(page.get_by_test_id("chart")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(1)
    page.unroute(re.compile("group_by=provider"))
    alert.get_by_role("button", name="Retry").click()
    expect(card(page, "by-provider").locator(".bars li")).to_have_count(6)
    expect(card(page, "by-user_id").get_by_role("alert")).to_contain_text("No answer within 10 s", timeout=11_000)


def test_an_empty_range_offers_the_newest_data(seen: Seen) -> None:
    page = seen("/usage?range=custom&from=2026-01-01&to=2026-01-02&tz=UTC&model=openai/o3")
    expect(page.get_by_test_id("empty-range")).to_contain_text("The newest that matches the filters is from 11:3")
    assert violations(page) == []
    expect(tile(page, "latency").locator(".value")).to_have_text("–")
    page.get_by_role("button", name=re.compile("^Show 2026-")).click()
    expect(page.get_by_test_id("chart")).to_be_visible()
    page.goto(re.sub(r"\?.*", "?range=7d&tz=UTC&model=none/such", page.url))
    page.get_by_test_id("empty-filter").get_by_role("button").click()
    expect(page.get_by_test_id("chart")).to_be_visible()


def test_other_is_the_remainder_and_colours_stay(seen: Seen, gateway: ApiService) -> None:
    page = seen()
    slots = "items => Object.fromEntries(items.map(item => [item.dataset.name, item.dataset.slot]))"
    legend = card(page, "chart").locator(".legend [data-name]")
    before = legend.evaluate_all(slots)
    expect(card(page, "chart")).to_contain_text("top 5 of 10 + other")
    report = page.request.get(
        f"{gateway.url}/api/usage?group_by=model&from=2026-10-01&to=2026-11-01T11:45:00Z&bucket=month"
    ).json()
    spent = sorted((group["totals"]["cost_nano_usd"] or 0 for group in report["groups"]), reverse=True)
    table = as_table(page, "chart")
    assert figures(table.locator("tfoot td"))[5:] == [sum(spent[5:]), sum(spent)]
    card(page, "chart").get_by_role("button", name="View as table").click()
    page.get_by_test_id("range").click()
    page.get_by_role("button", name="Last 24 hours").click()
    after = settled(page).locator(".legend [data-name]").evaluate_all(slots)
    kept = {name for name in before if name in after and not name.startswith("Other")}
    assert len(kept) >= 2
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_the_table_twin_holds_the_numbers_drawn(seen: Seen) -> None:
    page = seen("/usage?tz=UTC&range=7d&measure=tokens&group=provider")
    drawn = sorted(figures(card(page, "chart").locator(".bar-piece")))
    assert card(page, "chart").locator(".bar-piece.open").count() > 0
    twin = card(page, "chart").get_by_role("button", name="View as table")
    twin.focus()
    page.keyboard.press("Enter")
    cells = figures(page.get_by_test_id("chart-table").locator("tbody td[data-column^=layer]"))
    assert sorted(value for value in cells if value) == drawn


def test_latency_is_drawn_as_counted_and_a_day_without_requests_is_a_gap(seen: Seen, gateway: ApiService) -> None:
    page = seen("/usage?tz=UTC")
    asked = "from=2026-10-03&to=2026-11-01T11:45:00Z&tz=UTC&bucket=day"
    points = page.request.get(f"{gateway.url}/api/usage?{asked}").json()["groups"][0]["series"]
    lines = (
        card(page, "latency").locator("[data-values]").evaluate_all("lines => lines.map(line => line.dataset.values)")
    )
    names = ("response_time_p99", "response_time_p95", "response_time_p50")
    expected = [[point[name] for point in points] for name in names]
    assert [[float(value) if value else None for value in line.split(" ")] for line in lines] == expected
    assert None in expected[0]
    cells = as_table(page, "latency").locator("tbody td[data-column=p95]").all_inner_texts()
    assert cells == ["–" if value is None else f"{value:.3f}" for value in expected[1]]
    card(page, "latency").get_by_role("button", name="First token").click()
    sums = card(page, "latency").locator("tfoot td")
    expect(sums).to_have_text([re.compile(r"^\d\.\d{3}$")] * 3)
    card(page, "latency").get_by_role("button", name="View as table").click()
    card(page, "latency").get_by_label("log").check()
    expect(card(page, "latency").locator(".tick text").first).to_have_text(re.compile(r"^\d00 ms$"))


def test_failures_are_the_rows_that_failed_and_lead_to_them(seen: Seen, gateway: ApiService) -> None:
    page = seen("/usage?tz=UTC")
    failed = gateway.rows("SELECT count(*) AS n FROM requests WHERE status = 'error'")[0]["n"]
    table = as_table(page, "failures")
    assert sum(figures(table.locator("tbody td[data-column=error]"))) == failed
    assert figures(table.locator("tfoot td").first) == [failed]
    assert failed > 0
    card(page, "failures").get_by_role("button", name="View as table").click()
    card(page, "failures").get_by_role("button", name=re.compile("^Failed")).click()
    expect(tile(settled(page), "requests").locator(".value")).to_have_text(f"{failed:,}")
    expect(card(page, "latency")).to_contain_text("percentiles are not kept for filters by user, key or status")


def test_charts_share_one_cursor(seen: Seen) -> None:
    page = seen("/usage?tz=UTC")
    page.get_by_test_id("chart").hover()
    expect(page.locator(".chart .cursor")).to_have_count(4)
    expect(page.locator(".readout")).to_have_count(1)
    page.locator("h1").hover()
    expect(page.locator(".chart .cursor")).to_have_count(0)


def test_a_drag_over_a_chart_zooms_all_of_them_and_back_undoes_it(seen: Seen) -> None:
    page = seen("/usage?range=7d&tz=UTC")
    page.get_by_test_id("tokens-chart").scroll_into_view_if_needed()
    box = page.get_by_test_id("tokens-chart").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, y, steps=4)
    expect(page.locator(".chart .brush")).to_have_count(4)
    page.mouse.up()
    settled(page)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
    assert asked["range"] == "custom"
    first, last = date.fromisoformat(asked["from"]), date.fromisoformat(asked["to"])
    assert (date(2026, 10, 26) <= first, 1 <= (last - first).days <= 3, last <= date(2026, 11, 1)) == (True, True, True)
    assert not {"model", "status"} & set(asked), "a drag is no click"
    page.go_back()
    expect(page).to_have_url(re.compile("range=7d"))
    page.get_by_test_id("chart").locator("rect.bar-piece").first.click()
    assert "model=" in page.url


def test_tokens_by_class_are_the_tokens_of_the_tile(seen: Seen, gateway: ApiService) -> None:
    page = seen("/usage?range=7d&tz=UTC")
    drawn = sum(figures(page.get_by_test_id("tokens-chart").locator("rect.bar-piece")))
    total = sums(gateway, *bounds("UTC", date(2026, 10, 26), date(2026, 11, 1)))["tokens"]
    assert drawn == total
    table = as_table(page, "tokens")
    cells = figures(table.locator("tfoot td"))
    assert cells[-1] == sum(cells[:-1]) == total


@pytest.fixture
def blank(tmp_path: Path, mock: Mock) -> Iterator[tuple[ApiService, WebUI]]:
    with (
        running_api(tmp_path / "blank", mock.url, STORE_CONTENT="false") as api,
        running_webui(tmp_path, api.url, **NO_KEY) as webui,
    ):
        yield api, webui


def test_a_new_install_shows_how_to_begin_and_live_shows_the_first_request(
    blank: tuple[ApiService, WebUI], open_page: OpenPage
) -> None:
    api, webui = blank
    page = open_page("/usage", url=webui.url)
    expect(page.get_by_test_id("zero-data")).to_contain_text("curl -X POST http://localhost:5000/api/chat")
    assert violations(page) == []
    page.get_by_role("button", name="Live").click()
    body = {"query": "secret words", "model": "demo/priced", "user_id": "alice", "application_id": "cli"}
    reply = post_json(f"{api.url}/api/chat", body)[1]
    row = page.locator(
        f"[data-id='{reply['metadata']['request_id'] if 'request_id' in reply['metadata'] else reply['request_id']}']"
    )
    expect(row).to_contain_text("alice", timeout=2000)
    row.hover()
    post_json(f"{api.url}/api/chat", body)
    expect(page.get_by_role("button", name="1 new")).to_be_visible(timeout=3000)
    expect(page.get_by_test_id("request-row")).to_have_count(1)
    page.get_by_role("button", name="1 new").click()
    expect(page.get_by_test_id("request-row")).to_have_count(2)
    row.get_by_role("link").click()
    expect(page.get_by_test_id("no-content")).to_contain_text("STORE_CONTENT")
    assert "secret words" not in page.content()


def test_live_shows_what_runs_until_it_is_answered(blank: tuple[ApiService, WebUI], open_page: OpenPage) -> None:
    api, webui = blank
    page = open_page("/requests", url=webui.url)
    page.get_by_role("button", name="Live").click()
    body = {
        "query": "{{tokens=30 delay_ms=100}}",
        "model": "openai/gpt-4o",
        "user_id": "alice",
        "application_id": "cli",
    }
    asked = threading.Thread(target=post_json, args=(f"{api.url}/api/chat", body))
    asked.start()
    flying = page.get_by_test_id("in-flight")
    expect(flying).to_contain_text("1 request is answered now", timeout=2000)
    expect(flying).to_contain_text("openai/gpt-4o")
    expect(flying).to_contain_text("alice")
    assert violations(page) == []
    expect(page.get_by_test_id("request-row")).to_have_count(0)
    asked.join()
    expect(page.get_by_test_id("request-row")).to_have_count(1, timeout=2000)
    expect(flying).to_have_count(0, timeout=2000)


def test_live_goes_on_without_events(blank: tuple[ApiService, WebUI], open_page: OpenPage) -> None:
    api, webui = blank
    page = open_page("/health", url=webui.url)
    page.route("**/api/events", lambda route: route.abort())
    page.goto(f"{webui.url}/requests")
    page.get_by_role("button", name="Live").click()
    for number in (1, 2):
        post_json(f"{api.url}/api/chat", {"query": "x", "model": "demo/echo"})
        expect(page.get_by_test_id("request-row")).to_have_count(number, timeout=4000)


def test_what_is_shown_can_be_taken_home(seen: Seen) -> None:
    page = seen("/usage?tz=UTC&status=error")
    for words in ("Requests as CSV", "Requests as JSON Lines", "Sums as CSV"):
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=words).click()
        lines = Path(download.value.path()).read_text("utf-8").splitlines()
        assert len(lines) > 1, words
        assert download.value.suggested_filename.endswith(".csv" if "CSV" in words else ".jsonl")
        if words.startswith("Requests"):
            shown = int(re.sub(r"\D", "", tile(page, "requests").locator(".value").inner_text()))
            assert len(lines) - ("CSV" in words) == shown > 0
        page.keyboard.press("Escape")


def test_what_it_would_have_cost_on_another_model(seen: Seen) -> None:
    page = seen("/usage?tz=UTC&range=7d&application_id=app-1")
    what_if = card(page, "what-if")
    expect(what_if).to_contain_text("as it was")
    field = what_if.get_by_label("Another model")
    field.fill("openai/gpt-4o-mini")
    mini = what_if.locator("[data-model='openai/gpt-4o-mini']")
    expect(mini).to_contain_text("≈ $")
    field.fill("openai/gpt-4")
    field.press("Enter")
    expect(what_if.locator("li[data-model]")).to_have_count(3)
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["instead"] == ["openai/gpt-4o-mini", "openai/gpt-4"]
    with page.expect_response(lambda reply: "/api/what-if" in reply.url) as answered:
        page.reload()
    answer = answered.value.json()
    for candidate in answer["candidates"]:
        bar = what_if.locator(f"[data-model='{candidate['model']}']")
        expect(bar).to_have_attribute("data-value", str(candidate["cost_nano_usd"]))
    cells = figures(what_if.locator("tbody td[data-value]"))
    assert sum(cells) == sum(candidate["cost_nano_usd"] for candidate in answer["candidates"])
    expect(what_if).to_contain_text("Tokens are as the model counted them")
    assert violations(page) == []
    what_if.get_by_role("button", name="No longer compare openai/gpt-4o-mini").click()
    expect(mini).to_have_count(0)
    field.fill("openai/gpt-40")
    field.press("Enter")
    expect(what_if.get_by_role("alert")).to_contain_text("Is it one of these?")
    what_if.get_by_role("button", name="openai/gpt-40").click()
    expect(what_if.locator("li[data-model]")).to_have_count(2)


def test_the_list_shows_the_columns_that_are_wanted(seen: Seen) -> None:
    page = seen("/requests?tz=UTC")
    expect(page.get_by_role("columnheader")).to_have_count(10)
    page.get_by_role("button", name="Columns").click()
    panel = page.get_by_role("dialog", name="How the list looks")
    for name in ("First token", "User"):
        panel.get_by_label(name).uncheck()
    expect(panel.get_by_label("Model")).to_be_disabled()
    panel.get_by_label("Rows close together").check()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.reload()
    settled(page)
    heads = page.get_by_role("columnheader").all_inner_texts()
    assert len(heads) == 8
    assert not {"First token", "User"} & set(heads)
    expect(page.get_by_test_id("request-row").first.get_by_role("cell")).to_have_count(8)
    expect(page.locator("table.dense")).to_have_count(1)


def test_keys_have_their_names(blank: tuple[ApiService, WebUI], open_page: OpenPage) -> None:
    api, webui = blank
    key = post_json(f"{api.url}/api/keys", {"name": "the robot", "user_id": "rob"})[1]
    body = {"query": "x", "model": "demo/priced"}
    post_json(f"{api.url}/api/chat", body, {"authorization": f"Bearer {key['key']}"})
    page = open_page("/usage", url=webui.url)
    bar = card(page, "by-key_id").get_by_role("listitem").filter(has_text="the robot")
    bar.get_by_role("button").click()
    expect(page.get_by_role("button", name="Remove the filter key: the robot")).to_be_visible()


@pytest.mark.parametrize("small", [False, True], ids=["1440", "390"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(seen: Seen, theme: str, small: bool) -> None:
    page = seen(theme=theme, small=small)
    for name in ("chart", "by-model", "tokens", "latency", "failures"):
        as_table(page, name)
    page.get_by_role("button", name="Add filter").click()
    expect(page.get_by_role("dialog").get_by_role("listitem").first).to_be_visible()
    assert violations(page) == []
    page.goto(re.sub(r"/usage.*", "/requests?tz=UTC&status=error", page.url))
    expect(page.get_by_test_id("request-row").first).to_be_visible()
    assert theme == "dark" or violations(page) == []
    page.get_by_test_id("request-row").first.get_by_role("link").click()
    expect(card(page, "timeline")).to_be_visible()
    assert violations(page) == []


def test_nothing_scrolls_sideways_at_320_px(seen: Seen) -> None:
    page = seen()
    page.set_viewport_size({"width": 320, "height": 700})
    request = page.get_by_test_id("request-row").first.get_by_role("link").get_attribute("href")
    for path in (None, "/requests?tz=UTC", request):
        if path:
            page.goto(re.sub(r"/(usage|requests).*", path, page.url))
            expect(page.locator("#page .card").first).to_be_visible()
        for element in ("document.documentElement", "document.querySelector('.page')"):
            assert page.evaluate(f"{element}.scrollWidth - {element}.clientWidth") == 0, path


@pytest.mark.parametrize("path", ["/usage?tz=UTC", "/requests?tz=UTC"])
def test_a_page_loads_few_modules_all_announced(open_page: OpenPage, console: WebUI, path: str) -> None:
    page = settled(open_page(path, url=console.url))
    names = "entries => entries.map(entry => entry.name).filter(name => name.endsWith('.js'))"
    fetched = set(page.evaluate(f"({names})(performance.getEntriesByType('resource'))"))
    announced = page.locator("link[rel=modulepreload]").evaluate_all("links => links.map(link => link.href)")
    assert set(announced) <= fetched
    assert {name.rsplit("/", 1)[1] for name in fetched - set(announced)} <= {"whatif.js"}
    assert len(announced) <= 16
    weight = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => e.name.endsWith('.js')).reduce((n, e) => n + e.encodedBodySize, 0)"
    )
    assert weight <= 85_000
