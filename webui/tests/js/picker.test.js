import assert from "node:assert/strict";
import { test } from "node:test";

Object.assign(globalThis, { localStorage: { getItem: () => null, setItem: () => {} } });
const { firstChoice, fit, priceWords, shown } = await import("../../static/js/picker.js");

/** @param {string} id @param {any} [more] */
const one = (id, more) => ({
  id,
  name: id.slice(id.indexOf("/") + 1),
  provider: id.split("/")[0],
  title: id.split("/")[0],
  callable: true,
  reason: null,
  input_price_usd_per_million: 1,
  output_price_usd_per_million: 2,
  ...more,
});

test("words may come in any order, letters of a word in theirs", () => {
  assert.ok(fit("anthropic/claude-sonnet-4-5", "sonnet claude"));
  assert.ok(fit("openai/gpt-4o-mini", "g4m"));
  assert.equal(fit("openai/gpt-4o", "zz"), null);
  assert.ok(Number(fit("openai/gpt-4o", "gpt-4o")) > Number(fit("openai/gpt-4o-mini-2024", "gpt-4o")));
});

test("the best provider comes first, and only callable ones unless all are wanted", () => {
  const list = [one("a/other-gpt", { callable: false }), one("b/gpt"), one("c/nothing")];
  assert.deepEqual(
    shown(list, "gpt", false).map(({ id }) => id),
    ["b/gpt"],
  );
  assert.deepEqual(
    shown(list, "gpt", true).map(({ id }) => id),
    ["b/gpt", "a/other-gpt"],
  );
  assert.equal(shown(list, " ", true).length, 3);
});

test("the first choice is a small model of a real provider, else the demo that tells a story", () => {
  const demo = [one("demo/echo"), one("demo/story")];
  assert.equal(firstChoice([...demo, one("openai/gpt-4o"), one("openai/gpt-4o-mini")]), "openai/gpt-4o-mini");
  assert.equal(firstChoice([...demo, one("openai/gpt-4o", { callable: false })]), "demo/story");
  assert.equal(firstChoice([]), "");
});

test("prices: per million, free, not priced", () => {
  assert.equal(priceWords(one("a/b")), "$1.00 · $2.00 per M");
  assert.equal(priceWords(one("a/b", { input_price_usd_per_million: 0, output_price_usd_per_million: 0 })), "free");
  assert.equal(priceWords(one("a/b", { input_price_usd_per_million: null, output_price_usd_per_million: null })), "not priced");
});
