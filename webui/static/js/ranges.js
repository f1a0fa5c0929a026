// Ranges of time in a named zone: presets, days that begin at local midnight, the period before, and what changed.

/** A half-open range of instants, in milliseconds. @typedef {{ fromMs: number, toMs: number }} Span
 * @typedef {"hour" | "day" | "week" | "month"} Bucket
 * @typedef {{ year: number, month: number, day: number }} Day */

export const PRESETS = /** @type {const} */ ([
  ["1h", "Last hour"],
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["month", "This month"],
  ["last-month", "Last month"],
]);
export const DEFAULT_RANGE = "30d";

const QUARTER_MS = 900_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** @type {Map<string, Intl.DateTimeFormat>} */
const wallClocks = new Map();

/** @param {string} zone */
function wallClock(zone) {
  const known = wallClocks.get(zone);
  if (known) return known;
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  wallClocks.set(zone, made);
  return made;
}

/** What clocks in the zone show, as if it were UTC. @param {number} atMs @param {string} zone */
export function wallMs(atMs, zone) {
  /** @type {Record<string, number>} */
  const parts = {};
  for (const { type, value } of wallClock(zone).formatToParts(atMs)) parts[type] = Number(value);
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) + (((atMs % 1000) + 1000) % 1000);
}

/** The first instant of a local day; where midnight does not exist, the first one after it. @param {Day} day @param {string} zone */
export function midnight({ year, month, day }, zone) {
  const wanted = Date.UTC(year, month - 1, day);
  for (let quarter = Math.floor((wanted - 15 * HOUR_MS) / QUARTER_MS); ; ) {
    const atMs = quarter * QUARTER_MS;
    const missing = wanted - wallMs(atMs, zone);
    if (missing <= 0) return atMs;
    quarter += missing > 4 * HOUR_MS ? Math.floor((missing - 3 * HOUR_MS) / QUARTER_MS) : 1;
  }
}

/** The local day of an instant. @param {number} atMs @param {string} zone @returns {Day} */
export function dayOf(atMs, zone) {
  const wall = new Date(wallMs(atMs, zone));
  return { year: wall.getUTCFullYear(), month: wall.getUTCMonth() + 1, day: wall.getUTCDate() };
}

/** @param {Day} day @param {number} by @returns {Day} */
export function plusDays({ year, month, day }, by) {
  return fromUtc(new Date(Date.UTC(year, month - 1, day + by)));
}

/** The first day of a month some months away. @param {Day} day @param {number} by @returns {Day} */
export function plusMonths({ year, month }, by) {
  return fromUtc(new Date(Date.UTC(year, month - 1 + by, 1)));
}

/** @param {Date} date @returns {Day} */
const fromUtc = (date) => ({ year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() });

/** "2026-11-23" as a day; null for anything else. @param {string} text @returns {Day | null} */
export function parseDay(text) {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!match) return null;
  const day = { year: Number(match[1]), month: Number(match[2]), day: Number(match[3]) };
  return dayText(plusDays(day, 0)) === text && day.year >= 1970 ? day : null;
}

/** @param {Day} day */
export const dayText = ({ year, month, day }) => `${year}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;

/** Whether this is the name of a zone; an offset such as +05:30 is none. @param {string} zone */
export function isZone(zone) {
  if (!/^[A-Z][\w+-]*(\/[A-Z][\w+-]*)*$/.test(zone)) return false;
  try {
    return Boolean(wallClock(zone));
  } catch {
    return false;
  }
}

/** What is wrong with a custom range, or "". @param {string} from @param {string} to both included, "2026-11-23" */
export function customProblem(from, to) {
  if (!parseDay(from)) return "Give the first day, such as 2026-11-01.";
  if (!parseDay(to)) return "Give the last day, such as 2026-11-23.";
  return to < from ? "The last day is before the first one. Choose a later last day." : "";
}

/** The instants that a choice covers. Preset days include today; ends lie on quarters of an hour, as the API counts.
 * @param {{ range: string, from?: string, to?: string }} choice @param {string} zone @param {number} nowMs @returns {Span} */
export function spanOf({ range, from = "", to = "" }, zone, nowMs) {
  const toMs = Math.floor(nowMs / QUARTER_MS + 1) * QUARTER_MS;
  const today = dayOf(nowMs, zone);
  switch (range) {
    case "1h":
      return { fromMs: toMs - HOUR_MS, toMs };
    case "24h":
      return { fromMs: hourStart(nowMs, zone) - 23 * HOUR_MS, toMs };
    case "7d":
      return { fromMs: midnight(plusDays(today, -6), zone), toMs };
    case "month":
      return { fromMs: midnight(plusMonths(today, 0), zone), toMs };
    case "last-month":
      return { fromMs: midnight(plusMonths(today, -1), zone), toMs: midnight(plusMonths(today, 0), zone) };
    case "custom":
      if (!customProblem(from, to)) return { fromMs: startOf(from, zone), toMs: midnight(plusDays(asDay(to), 1), zone) };
  }
  return { fromMs: midnight(plusDays(today, -29), zone), toMs };
}

/** @param {string} text */
const asDay = (text) => /** @type {Day} */ (parseDay(text));
/** @param {string} text @param {string} zone */
const startOf = (text, zone) => midnight(asDay(text), zone);

/** The instant at which the local hour began. @param {number} atMs @param {string} zone */
function hourStart(atMs, zone) {
  const wall = wallMs(atMs, zone);
  return atMs - (((wall % HOUR_MS) + HOUR_MS) % HOUR_MS);
}

/** The period of the same length just before: calendar days back for days, the month before for months.
 * @param {{ range: string }} choice @param {Span} span @param {string} zone @returns {Span} */
export function previousSpan({ range }, { fromMs, toMs }, zone) {
  const first = dayOf(fromMs, zone);
  if (range === "month" || range === "last-month") {
    const before = midnight(plusMonths(first, -1), zone);
    return { fromMs: before, toMs: range === "last-month" ? fromMs : Math.min(fromMs, before + toMs - fromMs) };
  }
  if (range === "1h" || range === "24h") {
    const length = range === "1h" ? HOUR_MS : DAY_MS;
    return { fromMs: fromMs - length, toMs: toMs - length };
  }
  const days = Math.max(1, Math.round((wallMs(toMs - 1, zone) + 1 - wallMs(fromMs, zone)) / DAY_MS + 0.499));
  const before = midnight(plusDays(first, -days), zone);
  return { fromMs: before, toMs: Math.min(fromMs, before + (toMs - fromMs)) };
}

/** @param {Span} span @returns {Bucket} */
export function bucketOf({ fromMs, toMs }) {
  const days = (toMs - fromMs) / DAY_MS;
  if (days <= 2.1) return "hour";
  if (days <= 93) return "day";
  return days <= 740 ? "week" : "month";
}

/** Whether the last bucket may still grow. @param {Span} span @param {number} nowMs */
export const isOpen = ({ toMs }, nowMs) => toMs > nowMs;

/** "Last 30 days", "1 – 5 Nov 2026" @param {{ range: string, from?: string, to?: string }} choice */
export function rangeName({ range, from = "", to = "" }) {
  if (range === "custom" && !customProblem(from, to)) return from === to ? from : `${from} to ${to}`;
  return PRESETS.find(([name]) => name === range)?.[1] ?? "Last 30 days";
}

/** What the period before is called after "on" or "before". @param {string} range */
export function previousName(range) {
  if (range === "month" || range === "last-month") return "the month before";
  if (range === "custom") return "the period before";
  return `previous ${(PRESETS.find(([name]) => name === range)?.[1] ?? "Last 30 days").replace("Last ", "")}`;
}

/** How a figure changed: "+12%", "−3.4%", "new" from nothing, "no change"; "" where one of them is not known.
 * @param {number | null | undefined} now @param {number | null | undefined} before */
export function change(now, before) {
  if (now == null || before == null) return "";
  if (now === before) return "no change";
  if (before === 0) return "new";
  const part = ((now - before) / before) * 100;
  const size = Math.abs(part);
  if (size < 0.05) return "no change";
  if (size >= 1000) return "over +1,000%";
  return `${part > 0 ? "+" : "−"}${size < 10 ? size.toFixed(1) : Math.round(size)}%`;
}
