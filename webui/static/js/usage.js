// The usage page.
import { getJson } from "./api.js";
import { Breakdown } from "./breakdown.js";
import { bucketName, label, MEASURES, rememberedSlots, Sparkline, StackedBars, stack, zoom } from "./chart.js";
import { addFilter, Controls, nowMs, refresh, show, span, startView, usagePath, view } from "./controls.js";
import { announce, byId, CopyButton, html, Icon, render, useEffect, useRef, useState } from "./core.js";
import { atLeast, compact, cost, count, DASH, duration, exactCost, percent, unpricedWords } from "./format.js";
import { Card, Failure, Skeleton, useLoaded } from "./loading.js";
import { bucketOf, change, dayOf, dayText, isOpen, plusDays, plusMonths, previousName, previousSpan, rangeName } from "./ranges.js";
import { clockTime, isLive, RequestList } from "./requestlist.js";
import { missingModule, startShell } from "./shell.js";
import { BucketTable, Choice, Failures, Latency, narrowedTo, TableSwitch, Tokens } from "./trends.js";
import { dimensionName, filterPairs, GROUPS, writeView } from "./urlstate.js";

const LIVE_REFRESH_MS = 5000;
const CURL = `curl -X POST http://localhost:5000/api/chat -H "Content-Type: application/json" \\
  -d '{"user_id": "test-user", "application_id": "curl-test", "query": "Hello, how are you?", "model": "demo/echo"}'`;

// ---------------------------------------------------------------------- tiles

/** "97%", never 100% while something is missing. @param {any} totals */
function pricedShare({ requests, unpriced_requests: unpriced }) {
  const part = (requests - unpriced) / requests;
  return part > 0.99 ? `${(Math.floor(part * 1000) / 10).toFixed(1)}%` : percent(part);
}

/** @param {any} totals */
const spendWords = ({ cost_nano_usd: nano, cost_usd: usd, unpriced_requests: unpriced }) => atLeast(nano, unpriced, cost(usd));

/** @param {any} totals */
const exactSpend = ({ cost_nano_usd: nano, unpriced_requests: unpriced }) => atLeast(nano, unpriced, exactCost(nano));

/** @typedef {{ key: string, name: string, className: string, field: string, value: (t: any) => string, title?: (t: any) => string, detail: (t: any) => string }} Tile */

/** @type {Tile[]} */
const TILES = [
  {
    key: "spend",
    name: "Spend",
    className: "cost",
    field: "cost_nano_usd",
    value: spendWords,
    title: exactSpend,
    detail: (t) => (t.unpriced_requests ? `${pricedShare(t)} priced · ${unpricedWords(t.unpriced_requests)}` : "USD"),
  },
  {
    key: "requests",
    name: "Requests",
    className: "count",
    field: "requests",
    value: (t) => count(t.requests),
    detail: (t) => `${t.requests ? percent(t.errors / t.requests) : DASH} failed`,
  },
  {
    key: "tokens",
    name: "Tokens",
    className: "tokens",
    field: "total_tokens",
    value: (t) => compact(t.total_tokens),
    title: (t) => `${count(t.prompt_tokens)} in, ${count(t.completion_tokens)} out`,
    detail: (t) =>
      `${compact(t.prompt_tokens)} in (${t.prompt_tokens ? percent(t.cached_tokens / t.prompt_tokens) : DASH} cached) · ${compact(t.completion_tokens)} out`,
  },
  {
    key: "latency",
    name: "Latency p95",
    className: "time",
    field: "response_time_p95",
    value: (t) => duration(t.response_time_p95),
    detail: (t) =>
      t.response_time_p50 == null
        ? noPercentiles(t, t.avg_response_time)
        : `p50 ${duration(t.response_time_p50)} · p99 ${duration(t.response_time_p99)}`,
  },
  {
    key: "first-token",
    name: "First token p95",
    className: "time",
    field: "time_to_first_token_p95",
    value: (t) => duration(t.time_to_first_token_p95),
    detail: (t) => (t.overhead_p95 == null ? noPercentiles(t) : `gateway adds ${duration(t.overhead_p95)} p95`),
  },
];

/** @param {any} totals @param {number | null} [mean] */
const noPercentiles = (totals, mean = null) =>
  totals.requests ? `${mean === null ? "" : `mean ${duration(mean)}, p95 `}not kept for ${narrowedTo()}` : "no requests";

/** "+12% on previous 30 days" @param {string} words of `change` */
function comparison(words) {
  const before = previousName(view.value.range);
  if (!words) return "";
  if (words === "new") return `new: none in ${before}`;
  return words === "no change" ? `same as ${before}` : `${words} on ${before}`;
}

/** @param {{ tile: Tile, report: any, before: any }} props */
function TileView({ tile, report, before }) {
  const totals = report.totals;
  const words = before ? change(totals[tile.field], before[tile.field]) : "";
  const series = report.groups[0]?.series ?? [];
  const closed = isOpen(span.value, nowMs.value) ? series.slice(0, -1) : series;
  const values = closed.map((/** @type {any} */ point) => point[tile.field]);
  return html`<div class="tile" data-testid=${`tile-${tile.key}`}>
    <span class="key">${tile.name}</span>
    <span class="figure-row"><span class=${`value ${tile.className}`} title=${tile.title?.(totals)}>${tile.value(totals)}</span><${Sparkline} values=${values} className=${tile.className} /></span>
    <span class="detail">${tile.detail(totals)}</span>
    <span class="detail" data-testid="change">${comparison(words)}</span>
  </div>`;
}

/** @param {{ loaded: import("./loading.js").Loaded }} props */
function Tiles({ loaded }) {
  const before = useLoaded(usagePath(previousSpan(view.value, span.value, view.value.zone), { bucket: "month" }), nowMs.value);
  if (loaded.error)
    return html`<section class="card" data-testid="card-tiles" aria-label="Totals"><${Failure} loaded=${loaded} /></section>`;
  return html`<section class=${`tiles ${loaded.isLoading ? "is-stale" : ""}`} aria-label=${`Totals, ${rangeName(view.value)}, ${view.value.zone}`} aria-busy=${String(loaded.isLoading || before.isLoading)} data-testid="card-tiles">
    ${TILES.map((tile) =>
      loaded.data
        ? html`<${TileView} tile=${tile} report=${loaded.data} before=${before.error ? null : before.data?.totals} />`
        : html`<div class="tile" data-testid=${`tile-${tile.key}`}><span class="key">${tile.name}</span><${Skeleton} height="figure" /></div>`,
    )}
  </section>`;
}

// ------------------------------------------------------------------ over time

/** @param {{ whole: import("./loading.js").Loaded }} props */
function OverTime({ whole }) {
  const { group, measure: measureName } = view.value;
  const loaded = useLoaded(usagePath(span.value, { group_by: group }), nowMs.value);
  const [asTable, setAsTable] = useState(false);
  const measure = MEASURES[measureName];
  const bucket = loaded.data?.bucket ?? bucketOf(span.value);
  const everything = whole.data?.groups[0]?.series;
  const isReady = loaded.data?.group_by[0] === group && (!loaded.data.others || everything?.length === loaded.data.groups[0].series.length);
  const drawn = isReady ? stack(loaded.data, group, measure.field, rememberedSlots(group), everything) : null;
  const open = isOpen(span.value, nowMs.value);
  const note =
    drawn && drawn.of > 0
      ? drawn.of > 5
        ? `top 5 of ${count(drawn.of)} + other`
        : `${count(drawn.of)} ${drawn.of === 1 ? dimensionName(group) : `${dimensionName(group)}s`}`
      : "";
  const tools = html`<${Choice} name="Measure" value=${measureName} options=${Object.entries(MEASURES).map(([name, { name: words }]) => [name, words])} onChoose=${(/** @type {string} */ name) => show({ measure: name })} />
    <label class="by"><span class="sr">Stacked </span>by <select class="field small" value=${group} onChange=${(/** @type {any} */ event) => show({ group: event.currentTarget.value })}>${GROUPS.map((name) => html`<option value=${name} selected=${name === group}>${dimensionName(name)}</option>`)}</select></label>
    <${TableSwitch} of=${measure.name} isOn=${asTable} onSwitch=${setAsTable} />`;
  return html`<${Card} name="chart" span="span-8" height="chart-height" loaded=${drawn || loaded.error ? loaded : { ...loaded, data: null }} title=${`${measure.name} per ${bucket}`} note=${note} tools=${tools}>
    ${() => drawn && (asTable ? html`<${TableTwin} stack=${drawn} measure=${measure} bucket=${bucket} open=${open} />` : html`<${Picture} stack=${drawn} measure=${measure} bucket=${bucket} open=${open} />`)}
  <//>`;
}

/** @typedef {{ stack: import("./chart.js").Stack, measure: import("./chart.js").Measure, bucket: string, open: boolean }} DrawnProps */

/** @param {DrawnProps} props */
function Picture({ stack: drawn, measure, bucket, open }) {
  const { group, zone } = view.value;
  const most = drawn.totals.indexOf(Math.max(...drawn.totals));
  const sum = drawn.totals.reduce((total, value) => total + value, 0);
  const unpriced = drawn.unpriced.reduce((total, value) => total + value, 0);
  const summary = `${measure.name} per ${bucket} by ${dimensionName(group)}, ${zone}: ${measure.short(sum, unpriced)} in all, most on ${bucketName(drawn.starts[most] ?? "", bucket)} with ${measure.short(drawn.totals[most] ?? 0, drawn.unpriced[most])}. View as table has every number.`;
  return html`<${StackedBars} stack=${drawn} measure=${measure} bucket=${bucket} isOpen=${open} name="chart" summary=${summary} onPick=${(/** @type {string} */ name) => addFilter(group, name)} />
    <ul class="legend" aria-label=${`By ${dimensionName(group)}`}>${drawn.layers.map((layer) => {
      const inside = html`<span class=${`swatch s${layer.slot}`}></span><span class="name">${layer.label}</span><span class="num">${measure.short(layer.total, layer.unpricedTotal)}</span>`;
      return html`<li key=${layer.name} data-slot=${layer.slot} data-name=${layer.name}>${layer.isOther ? html`<span class="chip plain">${inside}</span>` : html`<button class="chip plain" type="button" title="Show only this" onClick=${() => addFilter(group, layer.name)}>${inside}</button>`}</li>`;
    })}
    ${open && html`<li class="caption"><span class="swatch open-key"></span> the last ${bucket} is still open</li>`}<li class="caption drag-hint">drag to zoom</li></ul>`;
}

/** Exactly the numbers drawn. @param {DrawnProps} props */
function TableTwin({ stack: drawn, measure, bucket, open }) {
  const sum = drawn.totals.reduce((total, value) => total + value, 0);
  const unpriced = drawn.unpriced.reduce((total, value) => total + value, 0);
  const columns = drawn.layers.map((layer) => ({
    id: `layer-${layer.label}`,
    name: layer.label,
    value: (/** @type {number} */ at) => layer.values[at],
    shown: (/** @type {number} */ value, /** @type {number | undefined} */ at) =>
      measure.exact(value, at === undefined ? layer.unpricedTotal : layer.unpriced[at]),
  }));
  const total = {
    id: "total",
    name: `Total, ${measure.title}`,
    value: (/** @type {number} */ at) => drawn.totals[at],
    shown: (/** @type {number} */ value, /** @type {number | undefined} */ at) =>
      measure.exact(value, at === undefined ? unpriced : drawn.unpriced[at]),
  };
  return html`<${BucketTable} starts=${drawn.starts} bucket=${bucket} isOpen=${open} name="chart" label=${`${measure.title} per ${bucket}`}
    columns=${[...columns, total]} sums=${[...drawn.layers.map((layer) => layer.total), sum]} />`;
}

// ------------------------------------------------------------- nothing to show

/** What to do where there are no requests. */
function Nothing() {
  const [newest, setNewest] = useState(/** @type {any} */ (undefined));
  const filters = view.value.filters;
  const hasFilters = filterPairs(filters).length > 0;
  useEffect(() => {
    const query = new URLSearchParams([...filterPairs(filters), ["limit", "1"]]);
    getJson(`/api/requests?${query}`).then(
      (page) => setNewest(page.requests[0] ?? null),
      () => setNewest(null),
    );
  }, [filters, nowMs.value]);
  if (newest === undefined)
    return html`<section class="card span-12" aria-busy="true" aria-label="Nothing in this range"><${Skeleton} height="tall" /></section>`;
  if (newest) {
    const day = dayText(dayOf(Date.parse(newest.timestamp), view.value.zone));
    return html`<section class="card span-12 empty" data-testid="empty-range">
      <h2>No requests in this range</h2><p>The newest ${hasFilters ? "that matches the filters " : ""}is from ${clockTime(newest.timestamp, view.value.zone)}, ${label(newest.model)}.</p>
      <button class="btn primary" type="button" onClick=${() => show({ range: "custom", from: day, to: day })}>Show ${day}</button>
    </section>`;
  }
  if (hasFilters) {
    return html`<section class="card span-12 empty" data-testid="empty-filter"><h2>No request matches these filters</h2><p>Not in this range, and not before it.</p>
      <button class="btn primary" type="button" onClick=${() => show({ filters: {} })}>Clear the filters</button></section>`;
  }
  return html`<section class="card span-12 empty" data-testid="zero-data">
    <h2>No requests yet</h2><p>Send the first one from <a href="/">the chat</a>, or from a terminal. This model needs no key and costs nothing:</p>
    <div class="snippet"><pre tabindex="0">${CURL}</pre><${CopyButton} text=${() => CURL} label="Copy the command" words="Copy" /></div>
    <button class="btn" type="button" onClick=${refresh}>Look again</button>
  </section>`;
}

// ----------------------------------------------------------------------- page

function Page() {
  const loaded = useLoaded(usagePath(span.value), nowMs.value);
  const said = useRef("");
  useEffect(() => {
    if (loaded.isLoading || !loaded.data) return;
    const words = writeView(view.value);
    if (said.current && said.current !== words)
      announce(`${rangeName(view.value)}: ${count(loaded.data.totals.requests)} requests, ${spendWords(loaded.data.totals)}`);
    said.current = words;
  }, [loaded.isLoading, loaded.path]);
  const isEmpty = loaded.data?.totals.requests === 0 && !loaded.error;
  return html`<${Controls}><${Freshness} loaded=${loaded} /><//>
    <${Tiles} loaded=${loaded} />
    <div class="grid">
      ${
        isEmpty
          ? html`<${Nothing} />`
          : html`<${OverTime} whole=${loaded} />
        <${Breakdown} dimension="application_id" title="By application" most=${7} />
        <${Breakdown} dimension="model" title="By model" />
        <${Breakdown} dimension="provider" title="By provider" />
        <${Breakdown} dimension="user_id" title="Top users" />
        <${Tokens} loaded=${loaded} /><${Latency} loaded=${loaded} /><${Failures} loaded=${loaded} />
        <${Breakdown} dimension="key_id" title="By key" />
        <${Later} module=${whatIf} />`
      }
    </div>
    <${RequestList} limit=${20} title="Recent requests" />`;
}

/** A part of the page that is loaded once the rest is there. @param {{ module: () => Promise<any> }} props */
function Later({ module }) {
  const [Part, setPart] = useState(/** @type {any} */ (null));
  useEffect(() => {
    const idle = globalThis.requestIdleCallback ?? ((/** @type {() => void} */ work) => setTimeout(work, 200));
    idle(() => module().then((part) => setPart(() => part), missingModule));
  }, []);
  return Part && html`<${Part} />`;
}
const whatIf = async () => (await import("./whatif.js")).WhatIf;

/** @param {{ loaded: import("./loading.js").Loaded }} props */
function Freshness({ loaded }) {
  const [asOf, setAsOf] = useState("");
  useEffect(() => {
    if (!loaded.isLoading && !loaded.error) setAsOf(clockTime(new Date().toISOString(), view.value.zone));
  }, [loaded.isLoading, loaded.error, view.value.zone]);
  useEffect(() => {
    if (!isLive.value) return;
    const timer = setInterval(() => document.hidden || refresh(), LIVE_REFRESH_MS);
    return () => clearInterval(timer);
  }, [isLive.value]);
  return html`${asOf && html`<span class="caption num" data-testid="as-of">as of ${asOf}</span>`}
    <button class="btn icon-only" type="button" aria-label="Refresh" title="Refresh" onClick=${refresh}><${Icon} name="retry" /></button>
    <button class="btn" type="button" aria-pressed=${String(isLive.value)} onClick=${() => {
      isLive.value = !isLive.value;
    }}><span class=${`live-dot ${isLive.value ? "on" : ""}`}></span>Live</button>`;
}

/** The last day of a bucket that begins on this one. @type {Record<string, (first: import("./ranges.js").Day) => import("./ranges.js").Day>} */
const LAST_DAY = { week: (day) => plusDays(day, 6), month: (day) => plusDays(plusMonths(day, 1), -1) };

zoom.onZoom = (first, last, bucket) => {
  const { zone } = view.value;
  const ends = dayOf(Date.parse(last), zone);
  show({ range: "custom", from: dayText(dayOf(Date.parse(first), zone)), to: dayText(LAST_DAY[bucket]?.(ends) ?? ends) });
};

startShell();
startView();
const place = byId("page");
place.replaceChildren();
render(html`<${Page} />`, place);
