import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bucketOf,
  change,
  customProblem,
  dayOf,
  dayText,
  isZone,
  midnight,
  parseDay,
  plusDays,
  previousSpan,
  rangeName,
  spanOf,
} from "../../static/js/ranges.js";

const iso = (ms) => new Date(ms).toISOString().slice(0, 16);
const both = ({ fromMs, toMs }) => [iso(fromMs), iso(toMs)];
const NOW = Date.UTC(2026, 10, 23, 13, 7);

test("a local day begins at midnight in its zone", () => {
  const day = { year: 2026, month: 11, day: 23 };
  assert.equal(iso(midnight(day, "UTC")), "2026-11-23T00:00");
  assert.equal(iso(midnight(day, "Asia/Kathmandu")), "2026-11-22T18:15");
  assert.equal(iso(midnight(day, "America/Los_Angeles")), "2026-11-23T08:00");
  assert.equal(iso(midnight(day, "Pacific/Kiritimati")), "2026-11-22T10:00");
});

test("a day of 23 and a day of 25 hours begin and end at midnight", () => {
  const length = (day) => (midnight(plusDays(day, 1), "Europe/Paris") - midnight(day, "Europe/Paris")) / 3_600_000;
  assert.equal(length({ year: 2026, month: 3, day: 29 }), 23);
  assert.equal(length({ year: 2026, month: 10, day: 25 }), 25);
});

test("where midnight does not exist the day begins at the first instant after it", () => {
  assert.equal(iso(midnight({ year: 2026, month: 4, day: 24 }, "Africa/Cairo")), "2026-04-23T22:00");
});

test("every midnight of a year is the first quarter of its day in five zones", () => {
  for (const zone of ["UTC", "Asia/Kolkata", "America/Los_Angeles", "Asia/Kathmandu", "Europe/Paris"]) {
    for (let day = { year: 2026, month: 1, day: 1 }; day.year === 2026; day = plusDays(day, 1)) {
      const atMs = midnight(day, zone);
      assert.equal(dayText(dayOf(atMs, zone)), dayText(day));
      assert.equal(dayText(dayOf(atMs - 1, zone)), dayText(plusDays(day, -1)));
    }
  }
});

test("presets end at the next quarter and days begin in the zone", () => {
  assert.deepEqual(both(spanOf({ range: "1h" }, "UTC", NOW)), ["2026-11-23T12:15", "2026-11-23T13:15"]);
  assert.deepEqual(both(spanOf({ range: "24h" }, "UTC", NOW)), ["2026-11-22T14:00", "2026-11-23T13:15"]);
  assert.deepEqual(both(spanOf({ range: "24h" }, "Asia/Kolkata", NOW)), ["2026-11-22T13:30", "2026-11-23T13:15"]);
  assert.deepEqual(both(spanOf({ range: "7d" }, "Europe/Paris", NOW)), ["2026-11-16T23:00", "2026-11-23T13:15"]);
  assert.deepEqual(both(spanOf({ range: "30d" }, "Europe/Paris", NOW)), ["2026-10-24T22:00", "2026-11-23T13:15"]);
  assert.deepEqual(both(spanOf({ range: "month" }, "Europe/Paris", NOW)), ["2026-10-31T23:00", "2026-11-23T13:15"]);
  assert.deepEqual(both(spanOf({ range: "last-month" }, "Europe/Paris", NOW)), ["2026-09-30T22:00", "2026-10-31T23:00"]);
});

test("the single days of a custom range are the range", () => {
  const whole = spanOf({ range: "custom", from: "2026-10-24", to: "2026-10-26" }, "Europe/Paris", NOW);
  const days = ["2026-10-24", "2026-10-25", "2026-10-26"].map((day) =>
    spanOf({ range: "custom", from: day, to: day }, "Europe/Paris", NOW),
  );
  assert.equal(days[0].fromMs, whole.fromMs);
  assert.equal(days[2].toMs, whole.toMs);
  assert.equal(days[0].toMs, days[1].fromMs);
  assert.equal(days[1].toMs, days[2].fromMs);
});

test("the period before has the same days and, if unfinished, the same part of them", () => {
  const before = (choice, zone = "Europe/Paris") => both(previousSpan(choice, spanOf(choice, zone, NOW), zone));
  assert.deepEqual(before({ range: "7d" }), ["2026-11-09T23:00", "2026-11-16T13:15"]);
  assert.deepEqual(before({ range: "1h" }), ["2026-11-23T11:15", "2026-11-23T12:15"]);
  assert.deepEqual(before({ range: "24h" }), ["2026-11-21T14:00", "2026-11-22T13:15"]);
  assert.deepEqual(before({ range: "month" })[0], "2026-09-30T22:00");
  assert.deepEqual(before({ range: "last-month" }), ["2026-08-31T22:00", "2026-09-30T22:00"]);
  assert.deepEqual(before({ range: "custom", from: "2026-11-02", to: "2026-11-03" }), ["2026-10-30T23:00", "2026-11-01T23:00"]);
});

test("a custom range says what is wrong with it", () => {
  assert.equal(customProblem("2026-11-01", "2026-11-01"), "");
  assert.match(customProblem("2026-11-02", "2026-11-01"), /before the first/);
  assert.match(customProblem("", "2026-11-01"), /first day/);
  assert.match(customProblem("2026-02-30", "2026-11-01"), /first day/);
  assert.equal(parseDay("2026-13-01"), null);
});

test("buckets fit the length", () => {
  assert.equal(bucketOf(spanOf({ range: "24h" }, "UTC", NOW)), "hour");
  assert.equal(bucketOf(spanOf({ range: "30d" }, "UTC", NOW)), "day");
  assert.equal(bucketOf({ fromMs: 0, toMs: 365 * 86_400_000 }), "week");
});

test("changes are signed, and from nothing they are new", () => {
  const table = [
    [112, 100, "+12%"],
    [96.6, 100, "−3.4%"],
    [5, 0, "new"],
    [0, 0, "no change"],
    [0, 4, "−100%"],
    [null, 4, ""],
    [4, null, ""],
    [1e6, 1, "over +1,000%"],
  ];
  for (const [now, then, words] of table) assert.equal(change(now, then), words);
});

test("a range has a name", () => {
  assert.equal(rangeName({ range: "7d" }), "Last 7 days");
  assert.equal(rangeName({ range: "custom", from: "2026-11-01", to: "2026-11-05" }), "2026-11-01 to 2026-11-05");
});

test("zones are names that the browser knows", () => {
  for (const zone of ["UTC", "Asia/Kolkata", "America/Argentina/Buenos_Aires", "Etc/GMT+5"]) assert.ok(isZone(zone), zone);
  for (const zone of ["", "+05:30", "Mars/Base", "europe/paris"]) assert.ok(!isZone(zone), zone);
});
