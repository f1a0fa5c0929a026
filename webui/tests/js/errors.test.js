import assert from "node:assert/strict";
import { test } from "node:test";
import { readError, retryAfter } from "../../static/js/api.js";
import { billing, envLine, explain, figuresOf, moment } from "../../static/js/errors.js";

test("every code of the API is explained and offers something to do", () => {
  const codes = [
    "invalid_request",
    "budget_exceeded",
    "model_price_unknown",
    "not_allowed",
    "unknown_model",
    "too_large",
    "rate_limited",
    "provider_limited",
    "provider_not_configured",
    "provider_rejected",
    "provider_unavailable",
    "provider_timeout",
    "overloaded",
    "store_unavailable",
    "shutting_down",
    "api_unreachable",
    "idempotency_in_progress",
    "idempotency_result_not_stored",
    "idempotency_mismatch",
  ];
  for (const code of codes) {
    const { title, advice, actions } = explain({ status: 0, code, message: "" });
    assert.ok(!title.startsWith("Something went wrong"), code);
    assert.ok(advice.length > 10 && actions.length > 0, code);
  }
});

test("a code that a provider made up is explained by its status", () => {
  const title = (/** @type {number} */ status) => explain({ status, code: "made_up", message: "" }).title;
  assert.match(title(401), /refused its key/);
  assert.match(title(429), /no more requests/);
  assert.match(title(529), /not answering well/);
  assert.match(title(504), /too long/);
  assert.match(title(418), /refused the request/);
  assert.match(title(500), /in the gateway/);
});

/** @param {string} code @param {any} details */
const refused = (code, details) => ({ status: 402, code, message: "", details });

test("a budget says which it is, what is left and when it resets, to the nano-dollar", () => {
  const budget = {
    id: "b1",
    scope: "user alice",
    period: "month",
    limit_usd: 5,
    spent_usd: 4.999988,
    held_usd: 0.000002,
    needed_usd: 0.00002,
    resets_at: "2026-12-01T00:00:00Z",
  };
  const problem = refused("budget_exceeded", { budget });
  assert.deepEqual(figuresOf(problem, "UTC"), [
    ["Budget", "Monthly, on user alice"],
    ["Limit", "$5.00"],
    ["Spent", "$4.999988"],
    ["Held by running requests", "$0.000002"],
    ["Left", "$0.00001"],
    ["This request may cost up to", "$0.00002"],
    ["Resets", "1 Dec 2026, 00:00 UTC"],
  ]);
  assert.deepEqual(explain(problem).actions, ["model", "parameters", "retry"]);
  const endless = figuresOf(refused("budget_exceeded", { budget: { ...budget, period: "total", resets_at: null } }), "UTC");
  assert.deepEqual(endless.at(-1), ["Resets", "not by itself"]);
  assert.match(moment("2026-12-01T00:00:00Z", "Asia/Kolkata"), /05:30/);
});

test("a key's own limit for one request is told apart from a budget", () => {
  const problem = refused("budget_exceeded", { max_cost_per_request_usd: 0.01, needed_usd: 0.25 });
  assert.match(explain(problem).title, /your key allows for one/);
  assert.deepEqual(figuresOf(problem), [
    ["Allowed for one request", "$0.01"],
    ["This one may cost up to", "$0.25"],
  ]);
});

test("a rate limit says how much of what, and what is left", () => {
  /** @param {any} limit */
  const figures = (limit) => figuresOf({ status: 429, code: "rate_limited", message: "", details: { limit } });
  assert.deepEqual(figures({ id: "l", scope: "key 0123", kind: "requests_per_minute", limit: 1200, remaining: 0, retry_after_s: 12 }), [
    ["Limit", "1,200 requests a minute, on key 0123"],
    ["Left now", "0 requests"],
  ]);
  assert.deepEqual(figures({ id: "l", scope: "everything", kind: "concurrency", limit: 1, remaining: null, retry_after_s: 1 }), [
    ["Limit", "1 request at once, on everything"],
  ]);
});

test("a request that no waiting lets through is not offered again", () => {
  const limit = { id: "l", scope: "everything", kind: "tokens_per_minute", limit: 100, remaining: 100, retry_after_s: null };
  const { title, actions } = explain({ status: 429, code: "rate_limited", message: "", details: { limit } });
  assert.match(title, /larger than/);
  assert.deepEqual(actions, ["parameters", "model"]);
});

test("another model is offered where the limit is on the model", () => {
  /** @param {string} scope */
  const actions = (scope) =>
    explain({
      status: 429,
      code: "rate_limited",
      message: "",
      details: { limit: { scope, kind: "concurrency", limit: 1, retry_after_s: 1 } },
    }).actions;
  assert.deepEqual(actions("model demo/*"), ["retry", "model"]);
  assert.deepEqual(actions("user alice"), ["retry"]);
});

test("an unpriced model is named with the budget that must know its price", () => {
  const details = { model: "openai/new", budget: { id: "b", scope: "everything" } };
  assert.deepEqual(figuresOf(refused("model_price_unknown", details)), [
    ["Model", "openai/new"],
    ["Hard budget on", "everything"],
  ]);
  assert.deepEqual(figuresOf(refused("model_price_unknown", null)), []);
});

test("a provider without a key gives the line for .env", () => {
  const message = "OpenAI has no key here. Put OPENAI_API_KEY=… into .env and start the gateway again.";
  assert.equal(explain({ status: 503, code: "provider_not_configured", message }).line, "OPENAI_API_KEY=…");
  assert.equal(envLine("vLLM is not set up here. Put VLLM_BASE_URL=… (where it listens) into .env."), "VLLM_BASE_URL=…");
  assert.equal(envLine("nothing here"), undefined);
});

test("what was billed is said, and unknown is not nothing", () => {
  const cost = (/** @type {number} */ usd) => `$${usd}`;
  assert.equal(billing({ cost_nano_usd: 500_000_000, tokens: { total: 5 } }, cost), "$0.5 was billed.");
  assert.equal(billing({ cost_nano_usd: 0, tokens: { total: 5 } }, cost), "Nothing was billed.");
  assert.match(billing({ cost_nano_usd: null, tokens: { total: 5 } }, cost), /not known/);
  assert.equal(billing(null, cost), "");
});

test("Retry-After is read as seconds and as a date", () => {
  assert.equal(retryAfter("3"), 3);
  assert.equal(retryAfter("0.4"), 1);
  assert.equal(retryAfter("Mon, 23 Nov 2026 12:00:10 GMT", Date.parse("2026-11-23T12:00:00Z")), 10);
  assert.equal(retryAfter("soon"), null);
  assert.equal(retryAfter(null), null);
});

test("an error body that is no JSON is shown as it is", () => {
  assert.equal(readError("<h1>Bad gateway</h1>").message, "<h1>Bad gateway</h1>");
  assert.equal(readError('{"error":{"message":"No.","code":"x","request_id":"r"}}').requestId, "r");
});
