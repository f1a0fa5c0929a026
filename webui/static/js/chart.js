// Stacked bars over time, drawn as plain SVG, with the numbers they are drawn from.
import { html, signal, useEffect, useRef, useState } from "./core.js";
import { atLeast, compact, cost, count, exactCost } from "./format.js";

export const MOST_SERIES = 5;

/** The bucket under the pointer, in every chart of the page; -1: none. */
export const cursor = signal(-1);
/** The buckets that are being dragged over, in every chart. @type {import("./core.js").Signal<{ from: number, to: number } | null>} */
const brush = signal(/** @type {{ from: number, to: number } | null} */ (null));
/** What a drag over some buckets does: gets the first and the last one's start; the page sets it. */
export const zoom = { onZoom: (/** @type {string} */ _first, /** @type {string} */ _last, /** @type {string} */ _bucket) => {} };

/** A group of `GET /api/usage`. @typedef {{ key: Record<string, string>, totals: any, series: any[] }} Group
 * @typedef {{ groups: Group[], totals?: any, others?: any, group_count?: number }} Report `others`: the sum of groups that are not shown
 * @typedef {{ name: string, label: string, slot: number | string, values: number[], total: number, isOther: boolean,
 *   unpriced: number[], unpricedTotal: number }} Layer slot 0: Other; `unpriced`: requests that the values leave out
 * @typedef {{ starts: string[], layers: Layer[], totals: number[], unpriced: number[], of: number }} Stack
 * @typedef {(value: number, unpriced?: number) => string} Words
 * @typedef {{ field: string, name: string, title: string, className: string, short: Words, exact: Words, tick: (value: number) => string }} Measure */

/** @type {Record<string, Measure>} */
export const MEASURES = {
  spend: {
    field: "cost_nano_usd",
    name: "Spend",
    title: "Spend (USD)",
    className: "cost",
    short: (nano, unpriced = 0) => atLeast(nano, unpriced, cost(nano / 1e9)),
    exact: (nano, unpriced = 0) => atLeast(nano, unpriced, exactCost(nano)),
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

/** The largest groups by a measure and the sum of all others, as layers from the bottom up. `whole` is the series of everything: where
 * the report does not show all groups, the others are what is left of it.
 * @param {Report} report @param {string} dimension @param {string} field @param {(names: string[]) => number[]} slotsOf @param {any[]} [whole] @returns {Stack} */
export function stack({ groups, totals, others, group_count: of = groups.length }, dimension, field, slotsOf, whole = []) {
  const ranked = groups.toSorted((one, other) => (other.totals[field] ?? 0) - (one.totals[field] ?? 0));
  const top = ranked.slice(0, MOST_SERIES);
  const rest = ranked.slice(MOST_SERIES);
  const names = top.map((group) => group.key[dimension]);
  const slots = slotsOf(names);
  const layers = top.map((group, index) => layerOf([group], names[index], slots[index], field));
  const words = `Other (${of - top.length})`;
  if (others) layers.push(remainder({ totals, series: whole, key: {} }, layers, words, field));
  else if (rest.length) layers.push(layerOf(rest, words, 0, field));
  const starts = (groups[0]?.series ?? []).map((point) => point.start);
  const sums = starts.map((_, at) => layers.reduce((sum, layer) => sum + layer.values[at], 0));
  const unpriced = starts.map((_, at) => layers.reduce((sum, layer) => sum + layer.unpriced[at], 0));
  return { starts, layers, totals: sums, unpriced, of };
}

/** @param {Group[]} groups @param {string} name @param {number} slot @param {string} field @returns {Layer} */
function layerOf(groups, name, slot, field) {
  /** @param {string} of */
  const summed = (of) => groups[0].series.map((_, at) => groups.reduce((sum, group) => sum + (group.series[at][of] ?? 0), 0));
  /** @param {string} of */
  const total = (of) => groups.reduce((sum, group) => sum + (group.totals[of] ?? 0), 0);
  const leftOut = { unpriced: summed("unpriced_requests"), unpricedTotal: total("unpriced_requests") };
  return { name, label: slot ? label(name) : name, slot, values: summed(field), total: total(field), isOther: slot === 0, ...leftOut };
}

/** What is left of everything. @param {Group} whole @param {Layer[]} shown @param {string} name @param {string} field @returns {Layer} */
function remainder(whole, shown, name, field) {
  const all = layerOf([whole], name, 0, field);
  /** @param {"values" | "unpriced"} of */
  const left = (of) =>
    all[of].map((value, at) =>
      Math.max(
        0,
        shown.reduce((rest, layer) => rest - layer[of][at], value),
      ),
    );
  /** @param {"total" | "unpricedTotal"} of */
  const leftInAll = (of) => shown.reduce((rest, layer) => rest - layer[of], all[of]);
  return {
    ...all,
    values: left("values"),
    unpriced: left("unpriced"),
    total: leftInAll("total"),
    unpricedTotal: leftInAll("unpricedTotal"),
  };
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

export const HEIGHT = 230;
export const MARGIN = { top: 10, right: 4, bottom: 24 };

/** Where things stand in a chart of `buckets` buckets, `width` wide, with these words on its axis.
 * @param {number} width @param {number} buckets @param {string[]} words */
export function frame(width, buckets, words) {
  const left = 14 + 7.4 * Math.max(...words.map((word) => word.length));
  const inner = { width: Math.max(10, width - left - MARGIN.right), height: HEIGHT - MARGIN.top - MARGIN.bottom };
  return { width, left, inner, step: inner.width / Math.max(1, buckets) };
}

/** The space of a chart, which follows the pointer: `read` says what is under it; a drag zooms.
 * @param {{ place: { current: HTMLElement | null }, geometry: ReturnType<typeof frame>, starts: string[], bucket: string, name: string, summary: string, children?: any, read: (at: number) => any }} props */
export function Plot({ place, geometry: { width, left, inner, step }, starts, bucket, name, summary, children, read }) {
  const [isHere, setHere] = useState(false);
  const hasDragged = useRef(false);
  const last = starts.length - 1;
  const at = cursor.value <= last ? cursor.value : -1;
  /** @param {PointerEvent} event */
  const indexOf = (event) =>
    Math.floor((event.clientX - /** @type {HTMLElement} */ (place.current).getBoundingClientRect().left - left) / step);
  /** @param {PointerEvent} event */
  const follow = (event) => {
    const index = indexOf(event);
    cursor.value = index >= 0 && index <= last ? index : -1;
    setHere(true);
    const to = Math.max(0, Math.min(last, index));
    if (brush.value && brush.value.to !== to) brush.value = { from: brush.value.from, to };
  };
  /** @param {PointerEvent} event */
  const begin = (event) => {
    const from = indexOf(event);
    hasDragged.current = false;
    if (event.button === 0 && event.pointerType !== "touch" && from >= 0 && from <= last) brush.value = { from, to: from };
  };
  const end = () => {
    const dragged = brush.value;
    brush.value = null;
    if (!dragged || dragged.from === dragged.to) return;
    hasDragged.current = true;
    const [from, to] = [dragged.from, dragged.to].sort((one, other) => one - other);
    zoom.onZoom(starts[from], starts[to], bucket);
  };
  // A drag that ends on a bar is no click on it.
  const onlyClicks = (/** @type {Event} */ event) => {
    if (hasDragged.current) event.stopPropagation();
    hasDragged.current = false;
  };
  const leave = () => {
    cursor.value = -1;
    brush.value = null;
    setHere(false);
  };
  const over = brush.value && brush.value.from !== brush.value.to ? brush.value : null;
  const x = left + (at + 0.5) * step;
  const side = x > width / 2 ? { right: `${width - x + 14}px` } : { left: `${x + 14}px` };
  return html`<div class="chart" ref=${place} onPointerDown=${begin} onPointerMove=${follow} onPointerUp=${end} onPointerLeave=${leave} onClickCapture=${onlyClicks}>
    <svg viewBox=${`0 0 ${width} ${HEIGHT}`} width=${width} height=${HEIGHT} role="img" aria-label=${summary} data-testid=${name}>
      ${at >= 0 && html`<rect class="cursor" x=${left + at * step} y=${MARGIN.top} width=${step} height=${inner.height} />`}
      ${over && html`<rect class="brush" x=${left + Math.min(over.from, over.to) * step} y=${MARGIN.top} width=${(Math.abs(over.to - over.from) + 1) * step} height=${inner.height} />`}
      ${children}
    </svg>
    ${isHere && at >= 0 && html`<div class="readout" style=${side} aria-hidden="true">${read(at)}</div>`}
  </div>`;
}

/** Horizontal lines with their words. @param {{ geometry: ReturnType<typeof frame>, values: number[], y: (value: number) => number, word: (value: number) => string }} props */
export function Scale({ geometry: { width, left }, values, y, word }) {
  return values.map(
    (value) => html`<g class="tick" key=${value}><line x1=${left} x2=${width - MARGIN.right} y1=${y(value)} y2=${y(value)} />
      <text x=${left - 8} y=${y(value) + 4} text-anchor="end">${word(value)}</text></g>`,
  );
}

/** @param {{ stack: Stack, measure: Measure, bucket: string, isOpen: boolean, summary: string, name: string, onPick: (layer: string) => void, note?: (at: number) => string }} props */
export function StackedBars({ stack: drawn, measure, bucket, isOpen, summary, name, onPick, note }) {
  const { starts, layers, totals, unpriced } = drawn;
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const scale = ticks(Math.max(...totals, 0));
  const geometry = frame(useWidth(place), starts.length, scale.map(measure.tick));
  const { left, inner, step } = geometry;
  const top = scale.at(-1) || 1;
  /** @param {number} value */
  const y = (value) => MARGIN.top + inner.height * (1 - value / top);
  /** @param {number} at */
  const read = (
    at,
  ) => html`<p><b>${bucketName(starts[at], bucket)}</b><span class="num">${measure.short(totals[at], unpriced[at])}</span></p>
    ${layers
      .filter((layer) => layer.values[at] || (measure.field === "cost_nano_usd" && layer.unpriced[at]))
      .toReversed()
      .map(
        (layer) =>
          html`<p><span class=${`swatch s${layer.slot}`}></span><span class="name">${layer.label}</span><span class="num">${measure.short(layer.values[at], layer.unpriced[at])}</span></p>`,
      )}
    ${note && html`<p class="quiet">${note(at)}</p>`}`;
  return html`<${Plot} place=${place} geometry=${geometry} starts=${starts} bucket=${bucket} name=${name} summary=${summary} read=${read}>
    <${Scale} geometry=${geometry} values=${scale} y=${y} word=${measure.tick} />
    ${starts.map(
      (start, index) => html`<${Bar} key=${start} layers=${layers} index=${index} x=${left + index * step} step=${step} y=${y}
        open=${isOpen && index === starts.length - 1} onPick=${onPick} />`,
    )}
    <${TimeAxis} starts=${starts} bucket=${bucket} left=${left} step=${step} />
  <//>`;
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
export function TimeAxis({ starts, bucket, left, step }) {
  const every = Math.max(1, Math.ceil((bucket === "month" ? 76 : 62) / step));
  return starts.map((start, index) => {
    if (index % every || (left + index * step + 50 > left + starts.length * step && index > 0 && every > 1)) return null;
    const name = bucketName(start, bucket);
    const words = bucket !== "hour" ? name : name.endsWith(" 00:00") ? name.slice(0, -6) : name.split(" ").at(-1);
    return html`<text class="when" x=${left + index * step + Math.min(3, step * 0.11)} y=${HEIGHT - 6}>${words}</text>`;
  });
}

/** The width of an element, followed. @param {{ current: HTMLElement | null }} place */
export function useWidth(place) {
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
