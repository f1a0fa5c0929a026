// Latency and failures over time, and the tables that hold what charts draw.
import { me } from "./api.js";
import { bucketName, frame, MARGIN, MEASURES, Plot, Scale, StackedBars, TimeAxis, ticks, useWidth } from "./chart.js";
import { addFilter, nowMs, span, view } from "./controls.js";
import { html, useRef, useState } from "./core.js";
import { compact, count, DASH, duration, percent } from "./format.js";
import { Card } from "./loading.js";
import { bucketOf, isOpen, rangeName } from "./ranges.js";
import { SortedTable } from "./table.js";

/** A line; a value that is not known is a gap. @typedef {{ name: string, className: string, values: (number | null)[], whole: number | null }} Line */

// --------------------------------------------------------------------- choices

/** @param {{ name: string, value: string, options: [string, string][], onChoose: (value: string) => void }} props */
export function Choice({ name, value, options, onChoose }) {
  return html`<div class="segments" role="group" aria-label=${name}>${options.map(
    ([option, words]) =>
      html`<button type="button" key=${option} aria-pressed=${String(option === value)} onClick=${() => onChoose(option)}>${words}</button>`,
  )}</div>`;
}

/** The switch between a picture and its numbers. @param {{ of: string, isOn: boolean, onSwitch: (isOn: boolean) => void }} props */
export function TableSwitch({ of, isOn, onSwitch }) {
  return html`<button class="btn ghost" type="button" aria-pressed=${String(isOn)} onClick=${() => onSwitch(!isOn)}>View as table<span class="sr">: ${of}</span></button>`;
}

/** Exactly the numbers drawn, a row for each bucket. `columns` read a bucket by its place; `shown` has no place for a sum.
 * @param {{ starts: string[], bucket: string, isOpen: boolean, label: string, name: string, columns: { id: string, name: string, value: (at: number) => number | null, shown: (value: any, at?: number) => string }[], sums: (number | null)[] }} props */
export function BucketTable({ starts, bucket, isOpen: open, label, name, columns, sums }) {
  const rows = starts.map((start, at) => ({ start, at }));
  const first = {
    id: "start",
    name: `${bucket[0].toUpperCase()}${bucket.slice(1)}`,
    value: (/** @type {any} */ row) => row.start,
    cell: (/** @type {any} */ { start, at }) =>
      html`${bucketName(start, bucket)}${open && at === starts.length - 1 ? html` <span class="caption">open</span>` : ""}`,
  };
  const others = columns.map(({ value, shown, ...column }) => ({
    ...column,
    numeric: true,
    value: (/** @type {any} */ row) => value(row.at),
    cell: (/** @type {any} */ row) => shown(value(row.at), row.at),
  }));
  const foot = html`<tfoot><tr><th scope="row">All</th>${columns.map(
    ({ id, shown }, index) => html`<td class="num" key=${id} data-value=${sums[index]}>${shown(sums[index])}</td>`,
  )}</tr></tfoot>`;
  return html`<div class="twin" data-testid=${`${name}-table`}><${SortedTable} label=${label} columns=${[first, ...others]} rows=${rows} keyOf=${(/** @type {any} */ row) => row.start} first=${{ id: "start", direction: "ascending" }} foot=${foot} /></div>`;
}

// --------------------------------------------------------------------- latency

const METRICS = {
  response_time: { words: "Response time", title: "Response time" },
  time_to_first_token: { words: "First token", title: "Time to first token" },
};

/** The lines of a metric: percentiles, or the mean where the API keeps none. @param {any[]} series @param {any} totals @param {string} metric @returns {Line[]} */
export function linesOf(series, totals, metric) {
  /** @param {string} name @param {string} field */
  const line = (name, field) => ({
    name,
    className: `line-${name}`,
    values: series.map((point) => point[field] ?? null),
    whole: totals[field] ?? null,
  });
  if (totals[`${metric}_p50`] != null) return ["p99", "p95", "p50"].map((name) => line(name, `${metric}_${name}`));
  return metric === "response_time" && totals.avg_response_time != null ? [line("mean", "avg_response_time")] : [];
}

/** Values for a logarithmic axis, from below the least to above the largest: 1, 2, 5, 10 … or, over a wide range, 1, 10, 100 …
 * @param {number} least @param {number} largest */
export function logTicks(least, largest) {
  const factors = largest / least > 100 ? [1] : [1, 2, 5];
  const first = Math.floor(Math.log10(least));
  const powers = Array.from({ length: Math.ceil(Math.log10(largest)) - first + 2 }, (_, n) => first + n);
  const steps = powers.flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)));
  const from = steps.findLastIndex((step) => step <= least);
  const to = steps.findIndex((step) => step >= largest);
  return steps.slice(from, Math.max(to, from + 1) + 1);
}

/** A path through what is known, with gaps between. @param {(number | null)[]} values @param {(at: number) => number} x @param {(value: number) => number} y */
export function pathOf(values, x, y) {
  let path = "";
  values.forEach((value, at) => {
    if (value === null) return;
    const begins = at === 0 || values[at - 1] === null;
    path += `${begins ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}${begins ? "h0" : ""}`;
  });
  return path;
}

/** Places and values of what has no known neighbour, which a line would not show. @param {(number | null)[]} values @returns {[number, number][]} */
export const lonely = (values) =>
  values.flatMap((value, at) => (value !== null && values[at - 1] == null && values[at + 1] == null ? [[at, value]] : []));

/** 0, 250 ms, 2.5 s @param {number} seconds */
function secondsTick(seconds) {
  if (seconds === 0) return "0 s";
  return seconds < 1 ? `${Number((seconds * 1000).toPrecision(3))} ms` : `${Number(seconds.toPrecision(3))} s`;
}

/** @param {{ starts: string[], lines: Line[], bucket: string, isOpen: boolean, isLog: boolean, summary: string }} props */
function Lines({ starts, lines, bucket, isOpen: open, isLog, summary }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const known = lines.flatMap((line) => line.values).flatMap((value) => (value ? [value] : []));
  const [least, largest] = known.length ? [Math.min(...known), Math.max(...known)] : [0.1, 1];
  const scale = isLog ? logTicks(least, largest) : ticks(largest);
  const geometry = frame(useWidth(place), starts.length, scale.map(secondsTick));
  const { left, inner, step } = geometry;
  const [low, high] = [scale[0], scale.at(-1) ?? 1];
  /** @param {number} value part of the height, from below */
  const part = (value) => (isLog ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : value / high);
  /** @param {number} value */
  const y = (value) => MARGIN.top + inner.height * (1 - part(value));
  /** @param {number} at */
  const x = (at) => left + (at + 0.5) * step;
  const last = starts.length - 1;
  /** @param {number} at */
  const read = (at) => html`<p><b>${bucketName(starts[at], bucket)}</b></p>
    ${lines.map((line) => html`<p><${Dash} line=${line} /><span class="name">${line.name}</span><span class="num">${duration(line.values[at])}</span></p>`)}`;
  return html`<${Plot} place=${place} geometry=${geometry} starts=${starts} bucket=${bucket} name="latency-chart" summary=${summary} read=${read}>
    <${Scale} geometry=${geometry} values=${scale} y=${y} word=${secondsTick} />
    ${lines.map(({ name, className, values }) => {
      const ends = open && last > 0 && values[last] !== null && values[last - 1] !== null;
      return html`<g key=${name} class=${`line ${className}`} data-values=${values.map((value) => value ?? "").join(" ")}>
        <path d=${pathOf(ends ? values.slice(0, last) : values, x, y)} />
        ${lonely(values).map(([at, value]) => html`<circle key=${at} cx=${x(at)} cy=${y(value)} r="2.5" />`)}
        ${ends && html`<path class="open" d=${pathOf(values.slice(last - 1), (at) => x(last - 1 + at), y)} />`}
      </g>`;
    })}
    <${TimeAxis} starts=${starts} bucket=${bucket} left=${left} step=${step} />
  <//>`;
}

/** What a line looks like. @param {{ line: Line }} props */
const Dash = ({ line }) =>
  html`<svg class=${`dash line ${line.className}`} viewBox="0 0 22 8" aria-hidden="true"><path d="M1 4H21" /></svg>`;

/** @param {{ loaded: import("./loading.js").Loaded }} props */
export function Latency({ loaded }) {
  const [metric, setMetric] = useState(/** @type {keyof typeof METRICS} */ ("response_time"));
  const [isLog, setLog] = useState(false);
  const [asTable, setAsTable] = useState(false);
  const { title } = METRICS[metric];
  const tools = html`<${Choice} name="Latency of" value=${metric} options=${Object.entries(METRICS).map(([name, { words }]) => [name, words])} onChoose=${setMetric} />
    <label class="by log"><input type="checkbox" checked=${isLog} onChange=${() => setLog(!isLog)} />log</label>
    <${TableSwitch} of="Latency" isOn=${asTable} onSwitch=${setAsTable} />`;
  return html`<${Card} name="latency" span="span-4" height="chart-height" loaded=${loaded} title="Latency" note="seconds" tools=${tools}>
    ${(/** @type {any} */ data) => {
      const series = data.groups[0]?.series ?? [];
      const lines = linesOf(series, data.totals, metric);
      if (!lines.length) return html`<p class="hint no-figures">${missing(data.totals, title)}</p>`;
      const shared = {
        starts: series.map((/** @type {any} */ point) => point.start),
        bucket: data.bucket,
        isOpen: isOpen(span.value, nowMs.value),
      };
      const words = lines.map((line) => `${line.name} ${duration(line.whole)}`).join(", ");
      return asTable
        ? html`<${BucketTable} ...${shared} name="latency" label=${`${title} per ${data.bucket}`} sums=${lines.map((line) => line.whole)}
            columns=${lines.map((line) => ({ id: line.name, name: `${line.name} (s)`, value: (/** @type {number} */ at) => line.values[at], shown: exactSeconds }))} />`
        : html`<${Lines} ...${shared} lines=${lines} isLog=${isLog} summary=${`${title} per ${data.bucket}, ${rangeName(view.value)}, ${view.value.zone}: ${words}. View as table has every number.`} />
          <ul class="legend" aria-label=${title}>${lines.map((line) => html`<li key=${line.name}><span class="chip plain"><${Dash} line=${line} /><span class="name">${line.name}</span><span class="num">${duration(line.whole)}</span></span></li>`)}
            ${lines[0].name === "mean" && html`<li class="caption">percentiles are not kept for ${me.value?.role === "member" ? narrowedTo() : "filters by user, key or status"}</li>`}</ul>`;
    }}
  <//>`;
}

/** What keeps percentiles from being told: a filter, or that a member sees only its own. */
export const narrowedTo = () => (me.value?.role === "member" ? "one user’s or key’s own requests" : "this filter");

/** @param {any} totals @param {string} title */
function missing(totals, title) {
  if (!totals.requests) return "No requests in this range.";
  return totals.avg_response_time == null || totals.response_time_p50 != null
    ? "No request in this range was streamed, so none has a first token."
    : me.value?.role === "member"
      ? `${title} is not kept for ${narrowedTo()}.`
      : `${title} is not kept for filters by user, key or status: remove them to see it.`;
}

/** @param {number | null} seconds */
const exactSeconds = (seconds) => (seconds === null ? DASH : seconds.toFixed(3));

// -------------------------------------------------------------------- failures

/** Requests that failed, at the bottom, and those that were answered. @param {any[]} series @param {any} totals @returns {import("./chart.js").Stack} */
export function failuresOf(series, totals) {
  const failed = series.map((point) => point.errors);
  const answered = series.map((point) => point.requests - point.errors);
  const layer = { isOther: false, unpriced: series.map(() => 0), unpricedTotal: 0 };
  return {
    starts: series.map((point) => point.start),
    layers: [
      { ...layer, name: "error", label: "Failed", slot: "failed", values: failed, total: totals.errors },
      { ...layer, name: "success", label: "Answered", slot: "answered", values: answered, total: totals.requests - totals.errors },
    ],
    totals: series.map((point) => point.requests),
    unpriced: series.map(() => 0),
    of: 2,
  };
}

/** @param {{ loaded: import("./loading.js").Loaded }} props */
export function Failures({ loaded }) {
  const [asTable, setAsTable] = useState(false);
  const tools = html`<${TableSwitch} of="Requests and failures" isOn=${asTable} onSwitch=${setAsTable} />`;
  return html`<${Card} name="failures" span="span-4" height="chart-height" loaded=${loaded} title=${`Requests per ${loaded.data?.bucket ?? bucketOf(span.value)}`} note="answered and failed" tools=${tools}>
    ${(/** @type {any} */ data) => {
      const drawn = failuresOf(data.groups[0]?.series ?? [], data.totals);
      const [failed] = drawn.layers;
      /** @param {number} at */
      const rate = (at) => (drawn.totals[at] ? failed.values[at] / drawn.totals[at] : null);
      const whole = data.totals.requests ? failed.total / data.totals.requests : null;
      const shared = { bucket: data.bucket, isOpen: isOpen(span.value, nowMs.value) };
      const summary = `Requests per ${data.bucket}, ${rangeName(view.value)}, ${view.value.zone}: ${count(data.totals.requests)} in all, ${count(failed.total)} failed, ${percent(whole)}. View as table has every number.`;
      return asTable
        ? html`<${BucketTable} ...${shared} starts=${drawn.starts} name="failures" label=${`Requests and failures per ${data.bucket}`} sums=${[...drawn.layers.map((layer) => layer.total), data.totals.requests, whole]}
            columns=${[
              ...drawn.layers.map((layer) => ({
                id: layer.name,
                name: layer.label,
                value: (/** @type {number} */ at) => layer.values[at],
                shown: count,
              })),
              { id: "total", name: "Requests", value: (/** @type {number} */ at) => drawn.totals[at], shown: count },
              { id: "rate", name: "Failed (%)", value: rate, shown: percent },
            ]} />`
        : html`<${StackedBars} ...${shared} stack=${drawn} measure=${MEASURES.requests} name="failures-chart" summary=${summary} onPick=${(/** @type {string} */ status) => addFilter("status", status)} note=${(/** @type {number} */ at) => `${percent(rate(at))} failed`} />
          <ul class="legend" aria-label="By outcome">${drawn.layers.map((layer) => html`<li key=${layer.name}><button class="chip plain" type="button" title="Show only these" onClick=${() => addFilter("status", layer.name)}><span class=${`swatch s${layer.slot}`}></span><span class="name">${layer.label}</span><span class="num">${count(layer.total)}</span></button></li>`)}<li class="caption">${percent(whole)} failed</li></ul>`;
    }}
  <//>`;
}

// ---------------------------------------------------------------------- tokens

/** Classes of tokens, from below: [field, words, slot]. @type {[string, string, string, (point: any) => number][]} */
const CLASSES = [
  ["cached", "Cached input", "1", (point) => point.cached_tokens],
  ["written", "Cache writes", "2", (point) => point.cache_write_tokens],
  ["input", "Input", "3", (point) => point.prompt_tokens - point.cached_tokens - point.cache_write_tokens],
  ["output", "Output", "4", (point) => point.completion_tokens],
];

/** Tokens by class; classes that nobody used are left out. @param {any[]} series @param {any} totals @returns {import("./chart.js").Stack} */
export function tokensOf(series, totals) {
  const layer = { isOther: true, unpriced: series.map(() => 0), unpricedTotal: 0 };
  const used = CLASSES.filter(([, , , of]) => of(totals));
  return {
    starts: series.map((point) => point.start),
    layers: used.map(([name, label, slot, of]) => ({ ...layer, name, label, slot, values: series.map(of), total: of(totals) })),
    totals: series.map((point) => point.total_tokens),
    unpriced: series.map(() => 0),
    of: used.length,
  };
}

/** @param {{ loaded: import("./loading.js").Loaded }} props */
export function Tokens({ loaded }) {
  const [asTable, setAsTable] = useState(false);
  const tools = html`<${TableSwitch} of="Tokens" isOn=${asTable} onSwitch=${setAsTable} />`;
  return html`<${Card} name="tokens" span="span-4" height="chart-height" loaded=${loaded} title=${`Tokens per ${loaded.data?.bucket ?? bucketOf(span.value)}`} note="in, cached, out" tools=${tools}>
    ${(/** @type {any} */ data) => {
      const drawn = tokensOf(data.groups[0]?.series ?? [], data.totals);
      const shared = { bucket: data.bucket, isOpen: isOpen(span.value, nowMs.value) };
      const words = drawn.layers.map((layer) => `${layer.label} ${count(layer.total)}`).join(", ");
      return asTable
        ? html`<${BucketTable} ...${shared} starts=${drawn.starts} name="tokens" label=${`Tokens per ${data.bucket}`} sums=${[...drawn.layers.map((layer) => layer.total), data.totals.total_tokens]}
            columns=${[
              ...drawn.layers.map((layer) => ({
                id: layer.name,
                name: layer.label,
                value: (/** @type {number} */ at) => layer.values[at],
                shown: count,
              })),
              { id: "total", name: "Tokens", value: (/** @type {number} */ at) => drawn.totals[at], shown: count },
            ]} />`
        : html`<${StackedBars} ...${shared} stack=${drawn} measure=${MEASURES.tokens} name="tokens-chart" onPick=${() => {}} summary=${`Tokens per ${data.bucket}, ${rangeName(view.value)}, ${view.value.zone}: ${words}. View as table has every number.`} />
          <ul class="legend" aria-label="By class">${drawn.layers.map((layer) => html`<li key=${layer.name}><span class="chip plain"><span class=${`swatch s${layer.slot}`}></span><span class="name">${layer.label}</span><span class="num">${compact(layer.total)}</span></span></li>`)}</ul>`;
    }}
  <//>`;
}
