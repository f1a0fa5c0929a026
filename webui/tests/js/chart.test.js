import assert from "node:assert/strict";
import { test } from "node:test";
import { assignSlots, bucketName, MEASURES, stack, ticks } from "../../static/js/chart.js";

const group = (model, values) => ({
  key: { model },
  totals: { requests: values.reduce((sum, value) => sum + (value ?? 0), 0) },
  series: values.map((requests, at) => ({ start: `2026-11-0${at + 1}T00:00:00+00:00`, requests })),
});
const inOrder = (names) => names.map((_, index) => index + 1);

test("the five largest are shown and Other is the remainder", () => {
  const groups = ["a", "b", "c", "d", "e", "f", "g"].map((name, index) => group(name, [index + 1, 10, null]));
  const drawn = stack({ groups }, "model", "requests", inOrder);
  assert.deepEqual(
    drawn.layers.map((layer) => layer.label),
    ["g", "f", "e", "d", "c", "Other (2)"],
  );
  assert.equal(drawn.of, 7);
  assert.deepEqual(drawn.layers.at(-1).values, [3, 20, 0]);
  assert.equal(drawn.layers.at(-1).total, 23);
  assert.deepEqual(drawn.totals, [28, 70, 0]);
});

test("where the report leaves groups out, Other is what is left of everything", () => {
  const groups = ["a", "b", "c", "d", "e", "f"].map((name) => group(name, [1, 2]));
  const report = { groups, totals: { requests: 40 }, others: { requests: 22 }, group_count: 99 };
  const drawn = stack(report, "model", "requests", inOrder, [
    { start: "", requests: 10 },
    { start: "", requests: 30 },
  ]);
  const other = drawn.layers.at(-1);
  assert.deepEqual([other.label, other.values, other.total], ["Other (94)", [5, 20], 25]);
  assert.deepEqual([drawn.totals, drawn.of], [[10, 30], 99]);
});

test("five or fewer have no Other, and none at all is nothing", () => {
  assert.equal(stack({ groups: [group("a", [1])] }, "model", "requests", inOrder).layers.length, 1);
  assert.deepEqual(stack({ groups: [] }, "model", "requests", inOrder), { starts: [], layers: [], totals: [], unpriced: [], of: 0 });
});

test("requests without a price make a sum a lower bound, and are never zero", () => {
  const priced = (model, values) => ({
    key: { model },
    totals: {
      cost_nano_usd: values.reduce((sum, [nano]) => sum + (nano ?? 0), 0),
      unpriced_requests: values.reduce((sum, [, left]) => sum + left, 0),
    },
    series: values.map(([nano, unpriced]) => ({ start: "", cost_nano_usd: nano, unpriced_requests: unpriced })),
  });
  const groups = [priced("a", [[12_000, 0], [5_000, 2]]), priced("b", [[null, 3], [0, 0]])]; // biome-ignore format: a table
  const drawn = stack({ groups }, "model", "cost_nano_usd", inOrder);
  const words = ({ values, unpriced }) => values.map((value, at) => MEASURES.spend.short(value, unpriced[at]));
  assert.deepEqual(drawn.layers.map(words), [
    ["$0.000012", "≥ $0.000005"],
    ["not priced", "$0.00"],
  ]);
  assert.deepEqual(
    drawn.layers.map((layer) => MEASURES.spend.exact(layer.total, layer.unpricedTotal)),
    ["≥ $0.000017", "not priced"],
  );
  assert.equal(MEASURES.spend.short(drawn.totals[0], drawn.unpriced[0]), "≥ $0.000012");
  assert.equal(MEASURES.requests.short(3, 2), "3");
});

test("an entity keeps its colour whatever its rank", () => {
  const known = {};
  assert.deepEqual(assignSlots(known, ["a", "b", "c"]), [1, 2, 3]);
  assert.deepEqual(assignSlots(known, ["c", "a", "x"]), [3, 1, 2]);
  assert.deepEqual(assignSlots(known, ["x", "b", "a"]), [3, 2, 1], "of two with one colour the older keeps it");
  assert.deepEqual(assignSlots(known, ["e", "d", "c", "b", "a"]).toSorted(), [1, 2, 3, 4, 5]);
});

test("ticks are round and reach the largest value", () => {
  assert.deepEqual(ticks(0), [0]);
  assert.deepEqual(ticks(97), [0, 25, 50, 75, 100]);
  assert.deepEqual(ticks(4), [0, 1, 2, 3, 4]);
  for (const max of [1, 7, 33, 1234, 5e9, 17]) assert.ok(ticks(max).at(-1) >= max && ticks(max).length <= 6, String(max));
});

test("buckets are named in the zone in which the API wrote them", () => {
  assert.equal(bucketName("2026-10-24T00:00:00+02:00", "day"), "24 Oct");
  assert.equal(bucketName("2026-10-24T14:00:00+05:30", "hour"), "24 Oct 14:00");
  assert.equal(bucketName("2026-10-01T00:00:00+02:00", "month"), "Oct 2026");
});
