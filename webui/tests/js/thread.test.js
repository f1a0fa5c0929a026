import assert from "node:assert/strict";
import test from "node:test";
import { fromMessage, toMessage } from "../../static/js/store.js";
import { endOf, saidBefore, titleOf, turnsOf, winners } from "../../static/js/thread.js";

/** @param {string} id @param {string | null} parent @param {object} [more] @returns {any} */
const question = (id, parent, more = {}) => ({
  id,
  role: "user",
  parent,
  text: `text of ${id}`,
  at: 0,
  models: [],
  attachments: [],
  ...more,
});
/** @param {string} id @param {string} parent @param {object} [more] @returns {any} */
const answer = (id, parent, more = {}) => ({
  ...{ id, role: "assistant", parent, text: `text of ${id}`, at: 0, model: "m", requestId: null, state: "done", problem: null },
  ...{ reasoning: "", toolCalls: [], record: null },
  ...more,
});

// q1 → a1, a2; a1 → q2 → b1; a1 → q2' → c1 (an edit); a2 → q3 → d1
const NODES = [
  question("q1", null),
  answer("a1", "q1"),
  question("q2", "a1"),
  answer("b1", "q2"),
  question("q2e", "a1"),
  answer("c1", "q2e"),
  answer("a2", "q1"),
  question("q3", "a2"),
  answer("d1", "q3"),
];
/** @param {string | null} leaf */
const path = (leaf) => turnsOf(NODES, leaf).map((turn) => [turn.id, turn.answers[turn.shown]?.id]);

test("a leaf says which branch is shown", () => {
  assert.deepEqual(path("d1"), [
    ["q1", "a2"],
    ["q3", "d1"],
  ]);
  assert.deepEqual(path("b1"), [
    ["q1", "a1"],
    ["q2", "b1"],
  ]);
  assert.deepEqual(path("q2e"), [
    ["q1", "a1"],
    ["q2e", "c1"],
  ]);
});

test("without a leaf, or with one that is gone, the newest branch is shown", () => {
  assert.deepEqual(path(null), path("d1"));
  assert.deepEqual(path("gone"), path("d1"));
  assert.deepEqual(turnsOf([], null), []);
});

test("a turn knows the other wordings and answers that stand in its place", () => {
  const [first, second] = turnsOf(NODES, "c1");
  assert.deepEqual([first.siblings, first.answers.map(({ id }) => id), first.shown], [["q1"], ["a1", "a2"], 0]);
  assert.deepEqual([second.siblings, second.answers.map(({ id }) => id)], [["q2", "q2e"], ["c1"]]);
});

test("going to a message shows the newest branch below it", () => {
  assert.equal(endOf(NODES, "a1"), "c1");
  assert.equal(endOf(NODES, "q2"), "b1");
  assert.equal(endOf(NODES, "a2"), "d1");
  assert.equal(endOf(NODES, null), "d1");
});

test("a model is told what was said before, its own answers where several were asked", () => {
  const nodes = [
    question("q1", null, { models: ["x", "y"] }),
    answer("ax", "q1", { model: "x" }),
    answer("ay", "q1", { model: "y" }),
    question("q2", "ax", { models: ["x", "y"] }),
  ];
  const told = (/** @type {string} */ model) => saidBefore(turnsOf(nodes, "q2"), "q2", model).map(({ text }) => text);
  assert.deepEqual(told("x"), ["text of q1", "text of ax"]);
  assert.deepEqual(told("y"), ["text of q1", "text of ay"]);
  assert.deepEqual(told("z"), ["text of q1", "text of ax"]);
});

test("an exchange that came to nothing is not told", () => {
  const nodes = [question("q1", null), answer("a1", "q1", { text: "" }), question("q2", "a1")];
  assert.deepEqual(saidBefore(turnsOf(nodes, "q2"), "q2", "m"), []);
});

test("messages go to the API and come back as they were", () => {
  const record = /** @type {any} */ ({ request_id: "r" });
  const whole = answer("a", "q", { requestId: "r", record, reasoning: "hm", toolCalls: [{ id: "c", name: "f", arguments: "{}" }] });
  assert.deepEqual(fromMessage(JSON.parse(JSON.stringify(toMessage(whole))), { r: record }), whole);
  const asked = question("q", null, { models: ["a", "b"], attachments: [{ id: "f", name: "n", media_type: "image/png", size: 1 }] });
  assert.deepEqual(fromMessage(JSON.parse(JSON.stringify(toMessage(asked))), {}), asked);
  assert.deepEqual(fromMessage({ id: "q", role: "user", at: "1970-01-01T00:00:00Z" }, {}), question("q", null, { text: "" }));
});

test("the title is the first line without its marks", () => {
  assert.equal(titleOf([question("q", null, { text: "## **Hello** there\nmore" })]), "Hello** there");
  assert.equal(titleOf([]), "New chat");
  assert.equal(titleOf([question("q", null, { text: "x".repeat(80) })]), `${"x".repeat(60)}…`);
});

test("the cheapest and the fastest are named only where that is so", () => {
  const of = (/** @type {number | null} */ cost, /** @type {number} */ time, state = "done") => ({
    state,
    record: { request_id: "", cost_nano_usd: cost, response_time: time },
  });
  assert.deepEqual(winners([answer("a", "q", of(10, 2)), answer("b", "q", of(20, 1))]), { cheapest: "a", fastest: "b" });
  assert.deepEqual(winners([answer("a", "q", of(null, 2)), answer("b", "q", of(20, 1))]), { cheapest: "", fastest: "b" });
  assert.deepEqual(winners([answer("a", "q", of(10, 1)), answer("b", "q", of(10, 1))]), { cheapest: "", fastest: "" });
  assert.deepEqual(winners([answer("a", "q", of(10, 1)), answer("b", "q", of(20, 2, "failed"))]), { cheapest: "", fastest: "" });
});
