import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockSplitter } from "../../static/js/markdown.js";

const FIXTURE = `# Head

A paragraph with snake_case_word and a [reference link][one], then
a lazy line.

Setext
------

- one
  - nested

    with a paragraph
- two

1. a

2. b

* other marker

| a | b |
|---|--:|
| 1 | 2 |

> quote
lazy

\`\`\`python
x = 1

y = 2
\`\`\`

- [x] done
- [ ] open

<script>alert(1)</script>

[one]: https://example.com "title"

    indented code

***

~~~
half open
`;

/** @param {BlockSplitter} splitter */
const shape = (splitter) => splitter.blocks.map(({ type, raw }) => [type, raw.trimEnd()]);

/** @param {number} size */
function grown(size) {
  const splitter = new BlockSplitter();
  for (let end = size; end < FIXTURE.length + size; end += size) splitter.update(FIXTURE.slice(0, end));
  return splitter;
}

test("blocks are the same however the text comes", () => {
  const whole = new BlockSplitter();
  whole.update(FIXTURE);
  for (const size of [1, 2, 3, 7, 50, 1000]) assert.deepEqual(shape(grown(size)), shape(whole), `in pieces of ${size}`);
});

test("a closed block is not touched again", () => {
  const splitter = new BlockSplitter();
  splitter.update("first\n\nsecond\n\nthird\n\nfo");
  const [first] = splitter.blocks;
  const changed = splitter.update("first\n\nsecond\n\nthird\n\nfourth and more");
  assert.ok(changed >= 1);
  assert.equal(splitter.blocks[0], first);
});

test("a definition that comes late is known to the blocks before it", () => {
  const splitter = new BlockSplitter();
  const text = "see [docs]\n\na\n\nb\n\nc\n\n";
  splitter.update(text);
  const changed = splitter.update(`${text}[docs]: https://example.com\n\nd\n`);
  assert.equal(changed, 0);
  assert.equal(splitter.blocks[0].links.docs.href, "https://example.com");
});

test("raw HTML is no token of its own", () => {
  const splitter = new BlockSplitter();
  splitter.update("<img src=x onerror=alert(1)>\n\n<div>\n\n**b** <b>c</b>");
  assert.ok(splitter.blocks.every(({ type }) => type === "paragraph"));
});

test("a text of 24,000 characters is split piece by piece in little time", () => {
  const text = FIXTURE.replace("~~~\nhalf open\n", "").repeat(40).slice(0, 24_000);
  const splitter = new BlockSplitter();
  const began = performance.now();
  for (let end = 20; end <= text.length; end += 20) splitter.update(text.slice(0, end));
  assert.ok((performance.now() - began) / (text.length / 20) < 4, "milliseconds for each piece");
});

/** @param {string} text */
function formulasOf(text) {
  const splitter = new BlockSplitter();
  splitter.update(text);
  const walk = (/** @type {any[]} */ tokens) =>
    tokens.flatMap((/** @type {any} */ token) =>
      /^formulas?$/.test(token.type) ? [[token.text, token.isDisplay]] : walk(token.tokens ?? token.items ?? []),
    );
  return walk(splitter.blocks.map(({ token }) => token));
}

test("formulas are found between their marks, and nothing in them is Markdown", () => {
  assert.deepEqual(formulasOf("so $a_b + c_d$ and \\(x*y*z\\)"), [
    ["a_b + c_d", false],
    ["x*y*z", false],
  ]);
  assert.deepEqual(formulasOf("$$\n\\frac{a}{b}\n= c\n$$\n\nand\n\n\\[ e = mc^2 \\]\n\n- $$x$$"), [
    ["\\frac{a}{b}\n= c", true],
    ["e = mc^2", true],
    ["x", true],
  ]);
});

test("amounts of money and code are no formulas", () => {
  for (const text of ["from $5 to $10", "$5, $6 and $7", "`$a$` and `\\(x\\)`", "```\n$$x$$\n```", "US$ 3 or $x", "$ a $"])
    assert.deepEqual(formulasOf(text), [], text);
});
