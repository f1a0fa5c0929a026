// What a page shows, kept in its address: filters, range, zone.
import { customProblem, DEFAULT_RANGE, isZone, PRESETS } from "./ranges.js";

/** The dimensions that filter, by the API's names, and what people call them. @type {[string, string][]} */
export const DIMENSIONS = [
  ["application_id", "application"],
  ["model", "model"],
  ["user_id", "user"],
  ["provider", "provider"],
  ["key_id", "key"],
  ["status", "status"],
  ["http_status", "HTTP status"],
];
export const GROUPS = ["model", "application_id", "provider", "user_id"];
export const MOST_INSTEAD = 4;
export const MEASURES = ["spend", "requests", "tokens"];

/** @typedef {Record<string, string[]>} Filters by dimension, values in the order they were added
 * @typedef {{ range: string, from: string, to: string, zone: string, group: string, measure: string, instead: string[], filters: Filters }} View
 * `instead`: models to compare the cost with */

/** @param {string} dimension */
export const dimensionName = (dimension) => DIMENSIONS.find(([name]) => name === dimension)?.[1] ?? dimension;

/** The browser's own zone. */
export const localZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** The view that a query string names; what it does not name, or names wrongly, has its default. @param {string} search @returns {View} */
export function readView(search, defaultZone = localZone()) {
  const given = new URLSearchParams(search);
  const from = given.get("from") ?? "";
  const to = given.get("to") ?? "";
  const zone = given.get("tz") ?? "";
  const named = given.get("range") ?? DEFAULT_RANGE;
  const isCustom = named === "custom" && !customProblem(from, to);
  return {
    range: isCustom || PRESETS.some(([name]) => name === named) ? named : DEFAULT_RANGE,
    from: isCustom ? from : "",
    to: isCustom ? to : "",
    zone: zone && isZone(zone) ? zone : defaultZone,
    group: oneOf(given.get("group"), GROUPS),
    measure: oneOf(given.get("measure"), MEASURES),
    instead: [...new Set(given.getAll("instead"))].slice(0, MOST_INSTEAD),
    filters: readFilters(given),
  };
}

/** @param {string | null} value @param {string[]} allowed */
const oneOf = (value, allowed) => (value !== null && allowed.includes(value) ? value : allowed[0]);

/** Which values a dimension has, where not any. @type {Record<string, (value: string) => boolean>} */
const FITS = {
  status: (value) => ["success", "error"].includes(value),
  http_status: (value) => /^\d{3}$/.test(value),
};

/** @param {URLSearchParams} given @returns {Filters} */
function readFilters(given) {
  /** @type {Filters} */
  const filters = {};
  for (const [dimension] of DIMENSIONS) {
    const values = [...new Set(given.getAll(dimension))];
    const allowed = values.filter(FITS[dimension] ?? (() => true));
    if (allowed.length) filters[dimension] = allowed;
  }
  return filters;
}

/** The query string that names a view, without its question mark. The zone always stands in it: a link means the same to everybody.
 * @param {View} view */
export function writeView(view) {
  const params = new URLSearchParams({ range: view.range });
  if (view.range === "custom") {
    params.set("from", view.from);
    params.set("to", view.to);
  }
  params.set("tz", view.zone);
  if (view.group !== GROUPS[0]) params.set("group", view.group);
  if (view.measure !== MEASURES[0]) params.set("measure", view.measure);
  for (const model of view.instead) params.append("instead", model);
  for (const [name, value] of filterPairs(view.filters)) params.append(name, value);
  return params.toString().replaceAll("%2F", "/").replaceAll("%3A", ":");
}

/** Pairs for a query, in a fixed order. @param {Filters} filters @returns {[string, string][]} */
export function filterPairs(filters) {
  return DIMENSIONS.flatMap(([name]) => (filters[name] ?? []).map((value) => /** @type {[string, string]} */ ([name, value])));
}

/** @param {Filters} filters @param {string} dimension @param {string} value @returns {Filters} */
export function withFilter(filters, dimension, value) {
  const values = filters[dimension] ?? [];
  return values.includes(value) ? filters : { ...filters, [dimension]: [...values, value] };
}

/** @param {Filters} filters @param {string} dimension @param {string} value @returns {Filters} */
export function withoutFilter(filters, dimension, value) {
  const { [dimension]: values = [], ...others } = filters;
  const left = values.filter((other) => other !== value);
  return left.length ? { ...others, [dimension]: left } : others;
}
