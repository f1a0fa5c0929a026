import assert from "node:assert/strict";
import { test } from "node:test";
import { readError, retryAfter } from "../../static/js/api.js";
import { billing, envLine, explain } from "../../static/js/errors.js";

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
