import assert from "node:assert/strict";
import { test } from "node:test";
import { nextOrder, sorted } from "../../static/js/table.js";

const rows = [
  { name: "b10", cost: 2 },
  { name: "a", cost: null },
  { name: "b9", cost: 0 },
];
const byCost = { id: "cost", name: "Cost", numeric: true, value: (row) => row.cost };
const byName = { id: "name", name: "Name", value: (row) => row.name };
const names = (list) => list.map((row) => row.name);

test("figures and names sort both ways, and what is not known stays last", () => {
  assert.deepEqual(names(sorted(rows, byCost, "descending")), ["b10", "b9", "a"]);
  assert.deepEqual(names(sorted(rows, byCost, "ascending")), ["b9", "b10", "a"]);
  assert.deepEqual(names(sorted(rows, byName, "ascending")), ["a", "b9", "b10"]);
});

test("a click sorts a new column its useful way, another click turns it", () => {
  const first = nextOrder({ id: "name", direction: "ascending" }, byCost);
  assert.deepEqual(first, { id: "cost", direction: "descending" });
  assert.equal(nextOrder(first, byCost).direction, "ascending");
  assert.equal(nextOrder(first, byName).direction, "ascending");
});
