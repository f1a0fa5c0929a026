import assert from "node:assert/strict";
import { test } from "node:test";
import { filterPairs, readView, withFilter, withoutFilter, writeView } from "../../static/js/urlstate.js";

test("a view survives its address", () => {
  const search = "range=7d&tz=Europe/Paris&group=user_id&measure=tokens&application_id=webui&model=openai/gpt-4o&model=a%26b&status=error";
  const view = readView(`?${search}`, "UTC");
  assert.deepEqual(view.filters, { application_id: ["webui"], model: ["openai/gpt-4o", "a&b"], status: ["error"] });
  assert.equal(writeView(view), search);
  assert.deepEqual(readView(`?${writeView(view)}`, "UTC"), view);
});

test("what an address names wrongly has its default", () => {
  const view = readView("?range=9y&tz=Mars/Base&group=colour&measure=joy&status=odd", "UTC");
  assert.deepEqual(view, { range: "30d", from: "", to: "", zone: "UTC", group: "model", measure: "spend", instead: [], filters: {} });
  assert.equal(readView("?range=custom&from=2026-11-05&to=2026-11-01", "UTC").range, "30d");
});

test("filters are added once and removed one by one", () => {
  const one = withFilter({}, "model", "a");
  const two = withFilter(withFilter(one, "model", "b"), "model", "a");
  assert.deepEqual(two, { model: ["a", "b"] });
  assert.deepEqual(withoutFilter(two, "model", "a"), { model: ["b"] });
  assert.deepEqual(withoutFilter(one, "model", "a"), {});
  assert.deepEqual(filterPairs({ user_id: ["u"], application_id: ["x"] }), [
    ["application_id", "x"],
    ["user_id", "u"],
  ]);
});
