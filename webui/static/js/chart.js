// Stacked bars over time, drawn as plain SVG, with the numbers they are drawn from.
import { html, useEffect, useRef, useState } from "./core.js";
import { compact, cost, count, exactCost } from "./format.js";

export const MOST_SERIES = 5;

/** A group of `GET /api/usage`. @typedef {{ key: Record<string, string>, totals: any, series: any[] }} Group
 * @typedef {{ name: string, label: string, slot: number, values: number[], total: number, isOther: boolean }} Layer slot 0: Other
 * @typedef {{ starts: string[], layers: Layer[], totals: number[], of: number }} Stack
 * @typedef {{ field: string, name: string, title: string, className: string, short: (value: number) => string, exact: (value: number) => string,
 *   tick: (value: number) => string }} Measure */

/** @type {Record<string, Measure>} */
export const MEASURES = {
  spend: {
    field: "cost_nano_usd",
    name: "Spend",
    title: "Spend (USD)",
    className: "cost",
    short: (nano) => cost(nano / 1e9),
    exact: exactCost,
    tick: (nano) => dollars(nano / 1e9),
  },
  requests: { field: "requests", name: "Requests", title: "Requests", className: "count", short: count, exact: count, tick: tickCount },
  tokens: { field: "total_tokens", name: "Tokens", title: "Tokens", className: "tokens", short: compact, exact: count, tick: tickCount },
};

/** 2.5 k, 10 k, 1 M @param {number} value */
function tickCount(value) {
  const [size, unit] = value >= 1e9 ? [1e9, " G"] : value >= 1e6 ? [1e6, " M"] : value >= 1000 ? [1000, " k"] : [1, ""];
  return `${Number((value / size).toFixed(2))}${unit}`;
}

/** An axis label without needless zeros: $25, $2.50, $0.002 @param {number} usd */
function dollars(usd) {
  if (usd === 0) return "$0";
  if (usd >= 1000) return `$${tickCount(usd)}`;
  if (Number.isInteger(usd)) return `$${usd}`;
  return `$${usd >= 0.1 ? usd.toFixed(2) : Number(usd.toPrecision(2)).toFixed(Math.min(9, 1 - Math.floor(Math.log10(usd))))}`;
}

/** What people read for a name that is empty. @param {string} name */
export const label = (name) => name || "(none)";

/** The largest groups by a measure and the sum of all others, as layers from the bottom up.
 * @param {{ groups: Group[] }} report @param {string} dimension @param {string} field @param {(names: string[]) => number[]} slotsOf @returns {Stack} */
export function stack({ groups }, dimension, field, slotsOf) {
  const ranked = groups.toSorted((one, other) => (other.totals[field] ?? 0) - (one.totals[field] ?? 0));
  const top = ranked.slice(0, MOST_SERIES);
  const rest = ranked.slice(MOST_SERIES);
  const names = top.map((group) => group.key[dimension]);
  const slots = slotsOf(names);
  const layers = top.map((group, index) => layerOf([group], names[index], slots[index], field));
  if (rest.length) layers.push(layerOf(rest, `Other (${rest.length})`, 0, field));
  const starts = (groups[0]?.series ?? []).map((point) => point.start);
  const totals = starts.map((_, at) => layers.reduce((sum, layer) => sum + layer.values[at], 0));
  return { starts, layers, totals, of: groups.length };
}

/** @param {Group[]} groups @param {string} name @param {number} slot @param {string} field @returns {Layer} */
function layerOf(groups, name, slot, field) {
  const values = groups[0].series.map((_, at) => groups.reduce((sum, group) => sum + (group.series[at][field] ?? 0), 0));
  const total = groups.reduce((sum, group) => sum + (group.totals[field] ?? 0), 0);
  return { name, label: slot ? label(name) : name, slot, values, total, isOther: slot === 0 };
}

/** Colours 1 to 5 for entities: each keeps the one it had first; of two with the same one the newer takes a free one.
 * @param {Record<string, number>} known changed in place @param {string[]} names */
export function assignSlots(known, names) {
  const order = Object.keys(known);
  const taken = new Set();
  /** @type {Map<string, number>} */
  const found = new Map();
  const oldestFirst = names.toSorted((one, other) => rank(order, one) - rank(order, other));
  for (const name of oldestFirst) {
    if (known[name] && !taken.has(known[name])) {
      found.set(name, known[name]);
      taken.add(known[name]);
    }
  }
  for (const name of names) {
    if (found.has(name)) continue;
    const free = [1, 2, 3, 4, 5].find((slot) => !taken.has(slot)) ?? 0;
    taken.add(free);
    found.set(name, free);
    known[name] ??= free;
  }
  return names.map((name) => found.get(name) ?? 0);
}

/** @param {string[]} order @param {string} name */
const rank = (order, name) => (order.includes(name) ? order.indexOf(name) : order.length);

/** Slots that this browser remembers for a dimension. @param {string} dimension */
export const rememberedSlots = (dimension) => /** @param {string[]} names */ (names) => {
  const place = `series:${dimension}`;
  /** @type {Record<string, number>} */
  let known = {};
  try {
    known = JSON.parse(localStorage.getItem(place) ?? "{}");
  } catch {}
  const slots = assignSlots(known, names);
  try {
    localStorage.setItem(place, JSON.stringify(known));
  } catch {}
  return slots;
};

/** Round values for an axis from 0, at least to `max`. @param {number} max @param {number} [most] */
export function ticks(max, most = 4) {
  if (!(max > 0)) return [0];
  const rough = max / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999) ?? 10 * power;
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, n) => n * step);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** When a bucket began, in the zone the API wrote it in: "24 Oct", "24 Oct 14:00", "Oct 2026". @param {string} start @param {string} bucket */
export function bucketName(start, bucket) {
  const [, year, month, day, time] = /^(\d+)-(\d+)-(\d+)T(\d+:\d+)/.exec(start) ?? ["", "", "1", "", ""];
  const name = MONTHS[Number(month) - 1];
  if (bucket === "month") return `${name} ${year}`;
  return bucket === "hour" ? `${Number(day)} ${name} ${time}` : `${Number(day)} ${name}`;
}

const HEIGHT = 230;
const MARGIN = { top: 10, right: 4, bottom: 24 };

/** @param {{ stack: Stack, measure: Measure, bucket: string, isOpen: boolean, summary: string, onPick: (name: string) => void }} props */
export function StackedBars({ stack: drawn, measure, bucket, isOpen, summary, onPick }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const width = useWidth(place);
  const [at, setAt] = useState(-1);
  const scale = ticks(Math.max(...drawn.totals, 0));
  const left = 14 + 7.4 * Math.max(...scale.map((value) => measure.tick(value).length));
  const inner = { width: Math.max(10, width - left - MARGIN.right), height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const step = inner.width / Math.max(1, drawn.starts.length);
  const top = scale.at(-1) || 1;
  /** @param {number} value */
  const y = (value) => MARGIN.top + inner.height * (1 - value / top);
  /** @param {PointerEvent} event */
  const follow = (event) => {
    const box = /** @type {HTMLElement} */ (place.current).getBoundingClientRect();
    const index = Math.floor((event.clientX - box.left - left) / step);
    setAt(index >= 0 && index < drawn.starts.length ? index : -1);
  };
  return html`<div class="chart" ref=${place} onPointerMove=${follow} onPointerLeave=${() => setAt(-1)}>
    <svg viewBox=${`0 0 ${width} ${HEIGHT}`} width=${width} height=${HEIGHT} role="img" aria-label=${summary} data-testid="chart">
      ${scale.map(
        (value) => html`<g class="tick"><line x1=${left} x2=${width - MARGIN.right} y1=${y(value)} y2=${y(value)} />
          <text x=${left - 8} y=${y(value) + 4} text-anchor="end">${measure.tick(value)}</text></g>`,
      )}
      ${at >= 0 && html`<rect class="cursor" x=${left + at * step} y=${MARGIN.top} width=${step} height=${inner.height} />`}
      ${drawn.starts.map(
        (start, index) => html`<${Bar} key=${start} layers=${drawn.layers} index=${index} x=${left + index * step} step=${step} y=${y}
          open=${isOpen && index === drawn.starts.length - 1} onPick=${onPick} />`,
      )}
      <${TimeAxis} starts=${drawn.starts} bucket=${bucket} left=${left} step=${step} />
    </svg>
    ${at >= 0 && html`<${Readout} stack=${drawn} at=${at} measure=${measure} bucket=${bucket} x=${left + (at + 0.5) * step} width=${width} />`}
  </div>`;
}

/** One bucket. @param {{ layers: Layer[], index: number, x: number, step: number, y: (value: number) => number, open: boolean, onPick: (name: string) => void }} props */
function Bar({ layers, index, x, step, y, open, onPick }) {
  const gap = Math.min(6, step * 0.22);
  let below = 0;
  return layers.map((layer) => {
    const value = layer.values[index];
    const from = below;
    below += value;
    if (!value) return null;
    const height = y(from) - y(below);
    return html`<rect class=${`bar-piece s${layer.slot} ${open ? "open" : ""}`} data-value=${value} x=${x + gap / 2} y=${y(below)}
      width=${Math.max(1, step - gap)} height=${Math.max(0.75, height - (height > 3 ? 1 : 0))} rx=${height > 4 ? 1.5 : 0}
      onClick=${layer.isOther ? null : () => onPick(layer.name)} />`;
  });
}

/** @param {{ starts: string[], bucket: string, left: number, step: number }} props */
function TimeAxis({ starts, bucket, left, step }) {
  const every = Math.max(1, Math.ceil((bucket === "month" ? 76 : 62) / step));
  return starts.map((start, index) => {
    if (index % every || (left + index * step + 50 > left + starts.length * step && index > 0 && every > 1)) return null;
    const name = bucketName(start, bucket);
    const words = bucket !== "hour" ? name : name.endsWith(" 00:00") ? name.slice(0, -6) : name.split(" ").at(-1);
    return html`<text class="when" x=${left + index * step + Math.min(3, step * 0.11)} y=${HEIGHT - 6}>${words}</text>`;
  });
}

/** What the pointer is on. @param {{ stack: Stack, at: number, measure: Measure, bucket: string, x: number, width: number }} props */
function Readout({ stack: { starts, layers, totals }, at, measure, bucket, x, width }) {
  const rows = layers.filter((layer) => layer.values[at]).toReversed();
  const side = x > width / 2 ? { right: `${width - x + 14}px` } : { left: `${x + 14}px` };
  return html`<div class="readout" style=${side} aria-hidden="true">
    <p><b>${bucketName(starts[at], bucket)}</b><span class="num">${measure.short(totals[at])}</span></p>
    ${rows.map(
      (layer) =>
        html`<p><span class="swatch s${layer.slot}"></span><span class="name">${layer.label}</span><span class="num">${measure.short(layer.values[at])}</span></p>`,
    )}
  </div>`;
}

/** The width of an element, followed. @param {{ current: HTMLElement | null }} place */
function useWidth(place) {
  const [width, setWidth] = useState(640);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const watch = new ResizeObserver(([entry]) => setWidth(Math.max(200, Math.round(entry.contentRect.width))));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  return width;
}

/** A small line without axes; a value that is not known is a gap. @param {{ values: (number | null)[], className: string }} props */
export function Sparkline({ values, className }) {
  const known = values.filter((value) => value != null);
  if (known.length < 2) return html`<svg class="spark" aria-hidden="true"></svg>`;
  const max = Math.max(...known) || 1;
  /** @param {number} value @param {number} index */
  const point = (value, index) => `${((index / (values.length - 1)) * 72).toFixed(1)} ${(21 - (value / max) * 19).toFixed(1)}`;
  let path = "";
  values.forEach((value, index) => {
    if (value == null) return;
    const begins = index === 0 || values[index - 1] == null;
    path += `${begins ? "M" : "L"}${point(value, index)}${begins ? "h0" : ""}`;
  });
  return html`<svg class=${`spark ${className}`} viewBox="-1 0 74 22" aria-hidden="true"><path d=${path} /></svg>`;
}
