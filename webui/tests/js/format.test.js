import assert from "node:assert/strict";
import { test } from "node:test";
import * as f from "../../static/js/format.js";

/** @param {Function} say @param {[any, string][]} table */
const says = (say, table) => {
  for (const [value, words] of table) assert.equal(say(value), words, `${say.name}(${value})`);
};

test("costs: unknown is never zero, small ones keep four significant decimals", () => {
  says(f.cost, [
    [null, "not priced"],
    [undefined, "not priced"],
    [0, "$0.00"],
    [412.084, "$412.08"],
    [12_345.6, "$12,345.60"],
    [4.5, "$4.50"],
    [0.0412, "$0.0412"],
    [0.004082, "$0.004082"],
    [0.0040824, "$0.004082"],
    [0.00000015, "$0.00000015"],
    [0.000012, "$0.000012"],
    [0.0000001234567, "$0.0000001235"],
    [-0.5, "-$0.5000"],
  ]);
});

test("the exact cost has every nano-dollar", () => {
  says(f.exactCost, [
    [null, "not priced"],
    [0, "$0.00"],
    [1, "$0.000000001"],
    [4_082_000, "$0.004082"],
    [1_500_000_000, "$1.50"],
    [-2_000_000_001, "-$2.000000001"],
    [9_007_199_254_740_991, "$9007199.254740991"],
  ]);
});

test("a sum says what it leaves out", () => {
  assert.equal(f.atLeast(null, 3, ""), "not priced");
  assert.equal(f.atLeast(0, 3, "$0.00"), "not priced");
  assert.equal(f.atLeast(0, 0, "$0.00"), "$0.00");
  assert.equal(f.atLeast(5, 1, "$5.00"), "≥ $5.00");
  assert.equal(f.unpricedWords(1), "1 request not priced");
  assert.equal(f.unpricedWords(1200), "1,200 requests not priced");
});

test("statuses have words", () => {
  says(f.statusWords, [
    [402, "over budget"],
    ["429", "rate limited"],
    [200, ""],
    [null, ""],
  ]);
});

test("durations keep three figures and name their unit", () => {
  says(f.duration, [
    [null, "–"],
    [0.0001, "0 ms"],
    [0.0033, "3.3 ms"],
    [0.312, "312 ms"],
    [0.9996, "1.00 s"],
    [1.836, "1.84 s"],
    [12.44, "12.4 s"],
    [125.2, "2 min 5 s"],
  ]);
});

test("counts, rates, shares and sizes", () => {
  says(f.count, [
    [null, "–"],
    [1204, "1,204"],
  ]);
  says(f.compact, [
    [9999, "9,999"],
    [12_345, "12.3 k"],
    [96_400_000, "96.4 M"],
    [999_960, "1.0 M"],
  ]);
  says(f.rate, [
    [null, "not priced"],
    [0, "free"],
    [2.5, "$2.50"],
    [0.075, "$0.075"],
  ]);
  says(f.percent, [
    [null, "–"],
    [0.44, "44%"],
    [0.004, "0.4%"],
    [0, "0%"],
  ]);
  says(f.contextSize, [
    [128_000, "128 k"],
    [1_048_576, "1 M"],
  ]);
});

test("speed is told only where it is known", () => {
  assert.equal(f.tokensPerSecond(100, 2, 1), 100);
  assert.equal(f.tokensPerSecond(100, 1.001, 1), null);
  assert.equal(f.tokensPerSecond(0, 2, 1), null);
  assert.equal(f.tokensPerSecond(100, 2, null), null);
});
