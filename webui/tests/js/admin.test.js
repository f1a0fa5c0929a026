import assert from "node:assert/strict";
import { test } from "node:test";
import { differences, limitWords, localInput, readField, scopeWords, usedUpAt } from "../../static/js/admin.js";

const NANO = 1e9;
/** @param {number} spent @param {number} limit */
const budget = (spent, limit) => ({
  spent_nano_usd: spent * NANO,
  limit_nano_usd: limit * NANO,
  period_start: "2026-11-01T00:00:00Z",
  resets_at: "2026-12-01T00:00:00Z",
});

test("a budget is used up when the pace of its period so far says so", () => {
  const tenth = Date.parse("2026-11-11T00:00:00Z");
  assert.equal(usedUpAt(budget(50, 100), tenth), Date.parse("2026-11-21T00:00:00Z"));
  assert.equal(usedUpAt(budget(20, 100), tenth), null, "it resets before");
  assert.equal(usedUpAt(budget(0, 100), tenth), null, "nothing is spent");
  assert.equal(usedUpAt(budget(100, 100), tenth), null, "it is used up already");
  assert.equal(usedUpAt({ ...budget(20, 100), resets_at: null }, tenth), Date.parse("2026-12-21T00:00:00Z"), "one without an end");
});

test("what is typed becomes what the API takes, or says why not", () => {
  const of = (/** @type {any} */ kind, /** @type {any} */ typed, more = {}) =>
    readField({ name: "x", label: "Amount", kind, ...more }, typed);
  assert.equal(of("number", " 2.50 "), 2.5);
  assert.equal(of("number", ""), null);
  assert.deepEqual(of("list", "openai/*, demo/echo  vllm/*"), ["openai/*", "demo/echo", "vllm/*"]);
  assert.deepEqual(of("list", ""), []);
  assert.equal(of("text", "  alice "), "alice");
  assert.equal(of("check", true), true);
  assert.equal(of("time", localInput("2026-11-24T10:00:00Z")), "2026-11-24T10:00:00.000Z");
  assert.throws(() => of("number", "ten"), /is a number/);
  assert.throws(() => of("number", "1e5"), /is a number/);
  assert.throws(() => of("text", " ", { needed: true }), /is needed/);
});

test("only what was changed is sent", () => {
  /** @type {any[]} */
  const fields = [
    { name: "name", label: "Name", needed: true },
    { name: "models", label: "Models", kind: "list" },
    { name: "max_tokens", label: "Most", kind: "number" },
    { name: "store_content", label: "Keep", kind: "check" },
  ];
  const before = { name: "ci", models: "openai/*", max_tokens: 100, store_content: true };
  assert.deepEqual(differences(fields, before, { name: "ci", models: ["openai/*"], max_tokens: 100, store_content: true }), {});
  assert.deepEqual(differences(fields, before, { name: "ci", models: [], max_tokens: null, store_content: false }), {
    models: [],
    max_tokens: null,
    store_content: false,
  });
});

test("scopes and limits in words", () => {
  assert.equal(scopeWords({ kind: "everything", name: "" }), "everything");
  assert.equal(
    scopeWords({ kind: "key", name: "4f" }, () => "ci-bot"),
    "key ci-bot",
  );
  assert.equal(limitWords({ requests_per_minute: 600, tokens_per_minute: null, concurrency: 8 }), "600 requests a minute, 8 at once");
});
