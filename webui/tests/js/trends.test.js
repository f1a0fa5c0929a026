import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.location = /** @type {any} */ ({ search: "", pathname: "/usage" });
const { failuresOf, linesOf, logTicks, lonely, pathOf } = await import("../../static/js/trends.js");

const x = (at) => at * 10;
const y = (value) => value;

test("what is not known is a gap in a line, never a zero", () => {
  assert.equal(pathOf([1, 2, null, 3, 4], x, y), "M0.0 1.0h0L10.0 2.0M30.0 3.0h0L40.0 4.0");
  assert.equal(pathOf([null, null], x, y), "");
  assert.deepEqual(lonely([1, null, 2, 3, null, 0]), [
    [0, 1],
    [5, 0],
  ]);
});

test("the three percentiles are drawn, or the mean where there are none", () => {
  const kept = { response_time_p50: 1, response_time_p95: 2, response_time_p99: 3, avg_response_time: 1.5, time_to_first_token_p50: null };
  assert.deepEqual(
    linesOf([kept, {}], kept, "response_time").map(({ name, values, whole }) => [name, values, whole]),
    [
      ["p99", [3, null], 3],
      ["p95", [2, null], 2],
      ["p50", [1, null], 1],
    ],
  );
  assert.deepEqual(linesOf([kept], kept, "time_to_first_token"), []);
  const mean = { response_time_p50: null, avg_response_time: 1.5 };
  assert.deepEqual(
    linesOf([mean], mean, "response_time").map(({ name, values }) => [name, values]),
    [["mean", [1.5]]],
  );
});

test("a logarithmic axis reaches around what it shows", () => {
  assert.deepEqual(logTicks(0.9, 16), [0.5, 1, 2, 5, 10, 20]);
  assert.deepEqual(logTicks(0.02, 3), [0.01, 0.1, 1, 10]);
  assert.deepEqual(logTicks(1, 1), [1, 2]);
});

test("failures and answers add up to the requests", () => {
  const points = [
    { start: "a", requests: 5, errors: 2 },
    { start: "b", requests: 0, errors: 0 },
  ];
  const drawn = failuresOf(points, { requests: 5, errors: 2 });
  assert.deepEqual(drawn.totals, [5, 0]);
  assert.deepEqual(
    drawn.layers.map(({ name, values, total }) => [name, values, total]),
    [
      ["error", [2, 0], 2],
      ["success", [3, 0], 3],
    ],
  );
});
