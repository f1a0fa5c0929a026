// Usage by one dimension: bars to compare, a table with every figure.
import { MEASURES } from "./chart.js";
import { addFilter, nameKeys, nowMs, span, usagePath, valueWords, view } from "./controls.js";
import { html, Icon, useEffect, useState } from "./core.js";
import { atLeast, cost, count, duration, exactCost, percent } from "./format.js";
import { Card, useLoaded } from "./loading.js";
import { SortedTable } from "./table.js";
import { dimensionName, withFilter, writeView } from "./urlstate.js";

const MOST_BARS = 6;

/** @typedef {import("./chart.js").Group} Group
 * @typedef {{ groups: Group[], totals: any, others: any, group_count: number }} Data `others`: the groups that the API does not list, summed up */

/** @param {Group} group @param {import("./chart.js").Measure} measure */
function words(group, measure) {
  return measure.short(group.totals[measure.field], group.totals.unpriced_requests);
}

/** @param {Group} group @param {import("./chart.js").Measure} measure */
const isUnpriced = ({ totals }, { field }) => field === "cost_nano_usd" && totals.unpriced_requests > 0;

/** @param {{ dimension: string, title: string, most?: number }} props */
export function Breakdown({ dimension, title, most = MOST_BARS }) {
  const [asTable, setAsTable] = useState(false);
  useEffect(() => {
    if (dimension === "key_id") nameKeys();
  }, [dimension]);
  const loaded = useLoaded(
    usagePath(span.value, { group_by: dimension, bucket: "month", ...(asTable ? { limit: "1000" } : {}) }),
    nowMs.value,
  );
  const measure = MEASURES[view.value.measure];
  const groups = loaded.data?.group_count ?? 0;
  const tools = html`<button class="btn ghost" type="button" aria-pressed=${String(asTable)} onClick=${() => setAsTable(!asTable)}>View as table<span class="sr">: ${title}</span></button>`;
  return html`<${Card} name=${`by-${dimension}`} span=${asTable ? "span-12" : "span-4"} loaded=${loaded} title=${title} note=${asTable ? `${count(groups)} in all` : measure.name.toLowerCase()} tools=${tools}>
    ${(/** @type {Data} */ data) =>
      asTable
        ? html`<${Table} data=${data} dimension=${dimension} title=${title} />`
        : html`<${Bars} data=${data} dimension=${dimension} measure=${measure} title=${title} most=${most} onAll=${() => setAsTable(true)} />`}
  <//>`;
}

/** @param {{ data: Data, dimension: string, measure: import("./chart.js").Measure, title: string, most: number, onAll: () => void }} props */
function Bars({ data, dimension, measure, title, most, onAll }) {
  const { field, className } = measure;
  const ranked = data.groups.toSorted((one, other) => (other.totals[field] ?? -1) - (one.totals[field] ?? -1));
  const longest = ranked[0]?.totals[field] || 1;
  const sum = data.totals[field] || 0;
  return html`<ul class="bars" aria-label=${title}>${ranked.slice(0, most).map((group) => {
    const name = group.key[dimension];
    const value = group.totals[field];
    const length = `${Math.max(value ? 1 : 0, ((value ?? 0) / longest) * 100).toFixed(2)}%`;
    return html`<li key=${name}><button type="button" title=${`Show only ${dimensionName(dimension)} ${valueWords(dimension, name)}`} onClick=${() => addFilter(dimension, name)} data-name=${name} data-value=${value}>
      <span class="name">${valueWords(dimension, name)}</span>
      <span class="track"><span class=${`fill ${className}`} style=${{ width: length }}></span></span>
      <span class="num">${words(group, measure)}</span><span class="num share">${value == null || (!value && isUnpriced(group, measure)) ? "" : percent(sum ? value / sum : 0)}</span>
    </button></li>`;
  })}</ul>
  ${data.group_count > most && html`<button class="btn ghost all" type="button" onClick=${onAll}>All ${count(data.group_count)}<${Icon} name="right" /></button>`}`;
}

/** @param {{ data: Data, dimension: string, title: string }} props */
function Table({ data, dimension, title }) {
  const sum = data.totals.cost_nano_usd || 0;
  /** @param {string} name */
  const listOf = (name) => `/requests?${writeView({ ...view.value, filters: withFilter(view.value.filters, dimension, name) })}`;
  /** @param {string} id @param {string} name @param {(t: any) => number | null} value @param {(value: any, totals: any) => string} shown */
  const figure = (id, name, value, shown) => ({
    id,
    name,
    numeric: true,
    value: (/** @type {Group} */ group) => value(group.totals),
    cell: (/** @type {Group} */ group) => shown(value(group.totals), group.totals),
    sum: shown,
  });
  const columns = [
    {
      id: "name",
      name: capital(dimensionName(dimension)),
      value: (/** @type {Group} */ group) => valueWords(dimension, group.key[dimension]),
      sum: String,
      cell: (/** @type {Group} */ group) =>
        html`<button class="cell-filter" type="button" title="Show only these" onClick=${() => addFilter(dimension, group.key[dimension])}>${valueWords(dimension, group.key[dimension])}</button>`,
    },
    {
      ...figure("requests", "Requests", (t) => t.requests, count),
      cell: (/** @type {Group} */ group) =>
        html`<a href=${listOf(group.key[dimension])} aria-label=${`${count(group.totals.requests)}, list the requests of ${valueWords(dimension, group.key[dimension])}`}>${count(group.totals.requests)}</a>`,
    },
    figure("in", "Tokens in", (t) => t.prompt_tokens, count),
    figure("cached", "Cached", (t) => t.cached_tokens, count),
    figure("out", "Tokens out", (t) => t.completion_tokens, count),
    figure(
      "cost",
      "Cost (USD)",
      (t) => t.cost_nano_usd,
      (nano, t) => atLeast(nano, t.unpriced_requests, exactCost(nano)),
    ),
    figure("unpriced", "Not priced", (t) => t.unpriced_requests, count),
    figure(
      "share",
      "Share",
      (t) => (t.cost_nano_usd == null || (!t.cost_nano_usd && t.unpriced_requests) ? null : sum ? t.cost_nano_usd / sum : 0),
      percent,
    ),
    figure(
      "each",
      "Cost per request",
      (t) => eachCost(t),
      (usd) => cost(usd),
    ),
    data.totals.response_time_p95 == null
      ? figure("mean", "Mean time", (t) => t.avg_response_time, duration)
      : figure("p95", "p95", (t) => t.response_time_p95, duration),
    figure("failed", "Failed", (t) => (t.requests ? t.errors / t.requests : null), percent),
  ];
  const foot =
    data.others &&
    html`<tfoot><tr><th scope="row">${count(data.group_count - data.groups.length)} more</th>${columns
      .slice(1)
      .map(({ id, value, sum }) => {
        const figure = value({ key: {}, totals: data.others, series: [] });
        return html`<td class="num" key=${id} data-column=${id} data-value=${figure}>${sum(figure, data.others)}</td>`;
      })}</tr></tfoot>`;
  return html`<${SortedTable} label=${title} columns=${columns} rows=${data.groups} keyOf=${(/** @type {Group} */ group) => group.key[dimension]} first=${{ id: "cost", direction: "descending" }} foot=${foot} />`;
}

/** @param {string} word */
const capital = (word) => word[0].toUpperCase() + word.slice(1);

/** USD a priced request cost on average. @param {any} totals */
function eachCost({ requests, unpriced_requests: unpriced, cost_usd: usd }) {
  return usd == null || requests === unpriced || (!usd && unpriced) ? null : usd / (requests - unpriced);
}
