"""Model output as the browser draws it: one form however it comes, nothing that runs, nothing that is fetched."""

import json
from pathlib import Path

from playwright.sync_api import Page, expect

from steps import OpenPage, ask, choose, connected, violations, write

GOLDEN = Path(__file__).parent / "golden"
DRAW = """
async ([text, size]) => {
  const place = document.createElement('div');
  place.className = 'prose';
  document.body.append(place);
  const view = new MarkdownView(place);
  for (let end = size; end < text.length + size; end += size) view.update(text.slice(0, end));
  view.end(text);
  for (const code of place.querySelectorAll('code')) code.textContent = code.textContent;
  const drawn = place.innerHTML;
  place.remove();
  return drawn;
}
"""
PAYLOADS = (
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "<svg onload='window.hit = 1'><circle/></svg>",
    "<iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
    "<a href='javascript:window.hit = 1'>a</a>",
    "[b](javascript:window.hit=1)",
    "[c](JaVaScRiPt:window.hit=1)",
    "[d](java\tscript:window.hit=1)",
    "[e](&#106;avascript:window.hit=1)",
    "[f](data:text/html,<script>parent.hit=1</script>)",
    "[g](vbscript:x)",
    "<javascript:window.hit=1>",
    "![h](javascript:window.hit=1)",
    "![i\" onerror=\"window.hit=1](http://127.0.0.1:9/x.png)",
    "[j](http://127.0.0.1:9/ \"x\" onmouseover=\"window.hit=1\")",
    "[k]: javascript:window.hit=1\n\n[k]",
    "```html\n<script>window.hit = 1</script>\n```",
    "```\" onmouseover=\"window.hit=1\nx\n```",
    "| <img src=x onerror=window.hit=1> |\n|---|\n| <b onclick=window.hit=1>x</b> |",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.hit=1>",
    "<form action='http://127.0.0.1:9'><button>x</button></form>",
    "<style>body{background:url(http://127.0.0.1:9/y)}</style>",
    "<details open ontoggle=window.hit=1>x</details>",
)  # fmt: skip


def test_the_fixture_is_drawn_alike_in_any_pieces(open_page: OpenPage) -> None:
    page = open_page("/ui/kit")
    text = (GOLDEN / "fixture.md").read_text("utf-8")
    golden = (GOLDEN / "fixture.html").read_text("utf-8").strip()
    for size in (1, 3, 50, len(text)):
        assert page.evaluate(DRAW, [text, size]).strip() == golden, f"in pieces of {size}"


def test_nothing_in_an_answer_runs_or_is_fetched(page: Page) -> None:
    connected(page)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    answer = ask(page, "\n\n" + "\n\n".join(PAYLOADS), "demo/echo")
    page.wait_for_timeout(300)
    assert page.evaluate("window.hit") is None
    assert dialogs == []
    prose = answer.locator(".prose")
    expect(prose).to_contain_text("<script>window.hit = 1</script>")
    assert prose.locator("script, iframe, svg:not(.icon), img, form, style, math").count() == 0
    links = prose.locator("a").evaluate_all("links => links.map(link => link.href)")
    assert [link for link in links if not link.startswith(("http://127.0.0.1:9", "https:", "mailto:"))] == []
    handlers = "all => all.flatMap(one => [...one.attributes].map(a => a.name)).filter(name => name.startsWith('on'))"
    assert prose.locator("*").evaluate_all(handlers) == []


def test_names_and_errors_are_shown_as_text(page: Page) -> None:
    connected(page)
    page.get_by_label("User").fill("<img src=x onerror=window.hit=1>")
    ask(page, "<img src=x onerror=window.hit=1>", "demo/priced")
    ask(page, "<b>x</b>", "nope/<img src=x onerror=window.hit=1>")
    assert page.evaluate("window.hit") is None
    expect(page.locator("#history li").first).to_contain_text("<img src=x")


def test_a_remote_picture_waits_for_the_reader(page: Page) -> None:
    answer = ask(connected(page), "\n\n![a chart](http://127.0.0.1:9/chart.png)", "demo/echo")
    link = answer.get_by_role("link", name="Load image: a chart (127.0.0.1:9)")
    expect(link).to_have_attribute("href", "http://127.0.0.1:9/chart.png")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_copies_are_exact_and_announced(page: Page) -> None:
    source = "x = {'a': 1}\n\n\tif x < 2 and \"&amp;\":\n        pass  # ünïcode"
    text = f"\n\n**bold** `code`\n\n```python\n{source}\n```\n\nend"
    answer = ask(connected(page), text, "demo/echo")
    expect(answer.locator("figure .hljs-keyword").first).to_be_visible()
    answer.locator("figure").get_by_role("button", name="Copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == source
    expect(page.locator("#announce")).to_have_text("Copied")
    answer.get_by_role("button", name="Copy this answer as Markdown").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith(text.strip())


def test_selected_text_stays_selected_while_the_answer_goes_on(open_page: OpenPage) -> None:
    page = open_page("/ui/kit")
    selected = page.evaluate(
        """async () => {
          const place = document.createElement('div');
          document.body.append(place);
          const view = new MarkdownView(place);
          let text = 'The first paragraph is done.\\n\\nThe second too.\\n\\n- a list\\n\\n';
          view.update(text);
          getSelection().selectAllChildren(place.firstElementChild);
          const before = getSelection().toString();
          for (let i = 0; i < 60; i += 1) {
            text += i % 9 ? 'word ' : '\\n\\n```js\\nlet a;\\n```\\n\\n';
            view.update(text);
            await new Promise(requestAnimationFrame);
          }
          view.end(text);
          return [before, getSelection().toString()];
        }"""
    )
    assert selected == ["The first paragraph is done.", "The first paragraph is done."]


def test_a_reader_who_scrolls_up_is_left_there(page: Page) -> None:
    connected(page)
    ask(page, "\n\n" + "\n\n".join(f"paragraph {n}" for n in range(60)), "demo/echo")
    choose(page, "openai/gpt-4o")
    write(page, "{{tokens=600 delay_ms=8}}")
    page.wait_for_timeout(500)
    box = page.locator("#scroll")
    assert box.evaluate("e => e.scrollHeight - e.clientHeight - e.scrollTop") < 8
    box.hover()
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(300)
    before = box.evaluate("e => e.scrollTop")
    page.wait_for_timeout(1000)
    assert abs(box.evaluate("e => e.scrollTop") - before) <= 2
    page.get_by_role("button", name="New text below").click()
    page.wait_for_timeout(300)
    assert box.evaluate("e => e.scrollHeight - e.clientHeight - e.scrollTop") < 8
    page.wait_for_timeout(300)
    assert box.evaluate("e => e.scrollHeight - e.clientHeight - e.scrollTop") < 8
    page.keyboard.press("Escape")


def test_a_long_answer_is_drawn_without_long_tasks(open_page: OpenPage) -> None:
    page = open_page("/ui/kit")
    text = (GOLDEN / "fixture.md").read_text("utf-8").partition("~~~")[0]
    text = (text * (24_000 // len(text) + 1))[:24_000]
    spent = page.evaluate(
        """async (text) => {
          const place = document.createElement('div');
          document.body.append(place);
          const view = new MarkdownView(place);
          const spent = [];
          for (let end = 40; end <= text.length; end += 40) {
            const began = performance.now();
            view.update(text.slice(0, end));
            spent.push(performance.now() - began);
            if (end % 400 === 0) await new Promise(requestAnimationFrame);
          }
          return spent.sort((a, b) => a - b);
        }""",
        text,
    )
    assert spent[int(len(spent) * 0.95)] <= 16, json.dumps(spent[-5:])


FORMULAS = (
    "The sum is $\\sum_{i=1}^n i = \\frac{n(n+1)}{2}$, for \\(x_1\\) and $5.\n\n$$\\int_0^1 x^2\\,dx = \\frac{1}{3}$$\n\n"
    "\\[ \\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix} \\]\n\nBroken: $\\frac{1$ stays."
)
HOSTILE = (
    "$\\href{javascript:window.hit=1}{a}$ $\\class{x\" onmouseover=\"window.hit=1}{b}$ $\\data{onclick=window.hit=1}{c}$ "
    "$\\style{background:url(http://127.0.0.1:9/z)}{d}$ $\\includegraphics{http://127.0.0.1:9/i.png}$ "
    "$\\text{<img src=x onerror=window.hit=1>}$"
)  # fmt: skip


def test_formulas_are_drawn_once_the_answer_is_there(page: Page) -> None:
    connected(page)
    prose = ask(page, FORMULAS, "demo/echo").locator(".prose")
    expect(prose.locator("math")).to_have_count(4)
    expect(prose.locator(".formula.display > math[display=block]")).to_have_count(2)
    expect(prose.locator("mfrac").first).to_be_visible()
    expect(prose).to_contain_text("and $5.")
    expect(prose.get_by_text("\\frac{1", exact=True)).to_be_visible()
    assert prose.locator("[style]").count() == 0
    assert violations(page) == []


def test_nothing_in_a_formula_runs_or_is_fetched(page: Page) -> None:
    connected(page)
    prose = ask(page, HOSTILE, "demo/echo").locator(".prose")
    expect(prose.locator("math").first).to_be_visible()
    page.wait_for_timeout(300)
    assert page.evaluate("window.hit") is None
    assert prose.locator("math [href], math [style], math img, img, script").count() == 0
    handlers = "all => all.flatMap(one => [...one.attributes].map(a => a.name)).filter(name => name.startsWith('on'))"
    assert prose.locator("*").evaluate_all(handlers) == []
