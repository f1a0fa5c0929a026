// Range, zone and filters: the row at the head of the usage and request pages, and the state behind it.
import { getJson, me } from "./api.js";
import { label } from "./chart.js";
import { computed, html, Icon, signal, useEffect, useId, useRef, useState } from "./core.js";
import { compact, statusWords } from "./format.js";
import { bucketOf, customProblem, dayOf, dayText, isZone, PRESETS, plusDays, rangeName, spanOf } from "./ranges.js";
import { DIMENSIONS, dimensionName, filterPairs, localZone, readView, withFilter, withoutFilter, writeView } from "./urlstate.js";

export const view = signal(readView(location.search));
export const nowMs = signal(Date.now());
export const span = computed(() => spanOf(view.value, view.value.zone, nowMs.value));

/** @param {Partial<import("./urlstate.js").View>} changes one step that Back undoes */
export function show(changes) {
  const next = { ...view.value, ...changes };
  if (writeView(next) === writeView(view.value)) return;
  nowMs.value = Date.now();
  view.value = next;
  history.pushState(null, "", `${location.pathname}?${writeView(next)}`);
}

/** Follow Back and Forward, and write the whole view into the address. */
export function startView() {
  history.replaceState(null, "", `${location.pathname}?${writeView(view.value)}`);
  addEventListener("popstate", () => {
    nowMs.value = Date.now();
    view.value = readView(location.search);
  });
}

/** Ask for everything again, up to now. */
export function refresh() {
  nowMs.value = Date.now();
}

/** @param {string} dimension @param {string} value */
export const addFilter = (dimension, value) => show({ filters: withFilter(view.value.filters, dimension, value) });

/** What keys are called, by id, for whoever may know. @type {import("./core.js").Signal<Map<string, string>>} */
const keyNames = signal(new Map([["admin", "admin key"]]));
let isAsked = false;

/** Ask once what keys are called; ids do where nobody may say. */
export function nameKeys() {
  if (isAsked || me.peek()?.role === "member") return;
  isAsked = true;
  getJson("/api/keys?limit=1000").then(
    ({ keys }) => {
      keyNames.value = new Map([...keyNames.value, ...keys.map((/** @type {any} */ { id, name }) => [id, name])]);
    },
    () => {},
  );
}

/** What people read for a value of a dimension. @param {string} dimension @param {string} value */
export function valueWords(dimension, value) {
  if (dimension === "http_status") return `${value} ${statusWords(value)}`.trim();
  return label((dimension === "key_id" && keyNames.value.get(value)) || value);
}

/** @param {number} ms */
const iso = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");

/** The query of a reading route for a span and the view's filters. @param {import("./ranges.js").Span | null} range
 * @param {Record<string, string>} [more] @param {import("./urlstate.js").Filters} [filters] */
export function queryOf(range, more = {}, filters = view.value.filters) {
  const params = new URLSearchParams(range ? { from: iso(range.fromMs), to: iso(range.toMs) } : {});
  for (const [name, value] of Object.entries(more)) params.set(name, value);
  for (const [name, value] of filterPairs(filters)) params.append(name, value);
  return params;
}

/** `/api/usage` over a span. @param {import("./ranges.js").Span} range @param {Record<string, string>} [more] @param {import("./urlstate.js").Filters} [filters] */
export const usagePath = (range, more = {}, filters = view.value.filters) =>
  `/api/usage?${queryOf(range, { tz: view.value.zone, bucket: bucketOf(range), ...more }, filters)}`;

// ------------------------------------------------------------------- popovers

/** A button that opens a panel below it. @param {{ words: any, name: string, className?: string, children: (close: () => void) => any }} props */
export function PanelButton({ words, name, className = "", children }) {
  const id = useId();
  const button = useRef(/** @type {HTMLElement | null} */ (null));
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  const [isOpen, setOpen] = useState(false);
  const close = () => {
    panel.current?.hidePopover();
    button.current?.focus();
  };
  /** @param {any} event */
  const onToggle = (event) => {
    const opens = event.newState === "open";
    setOpen(opens);
    if (opens) requestAnimationFrame(() => place(button.current, panel.current));
  };
  return html`<button class=${`btn ${className}`} type="button" ref=${button} popovertarget=${id} aria-expanded=${String(isOpen)} aria-haspopup="dialog">${words}<${Icon} name="down" /></button>
    <div class="popover" popover="auto" id=${id} ref=${panel} role="dialog" aria-label=${name} onToggle=${onToggle}>${isOpen && children(close)}</div>`;
}

/** @param {HTMLElement | null} button @param {HTMLElement | null} panel */
function place(button, panel) {
  if (!button || !panel) return;
  const box = button.getBoundingClientRect();
  const size = panel.getBoundingClientRect();
  panel.style.left = `${Math.max(8, Math.min(box.left, innerWidth - size.width - 8))}px`;
  panel.style.top = `${Math.max(8, Math.min(box.bottom + 6, innerHeight - size.height - 8))}px`;
  const first = panel.querySelector("[aria-pressed=true]") ?? panel.querySelector("button, input, select");
  /** @type {HTMLElement | null} */ (first)?.focus();
}

// ---------------------------------------------------------------------- range

/** @param {{ close: () => void }} props */
function RangePanel({ close }) {
  const { range, from, to, zone } = view.value;
  const ids = [useId(), useId(), useId()];
  const today = dayOf(Date.now(), zone);
  const [days, setDays] = useState({ from: from || dayText(plusDays(today, -6)), to: to || dayText(today) });
  const [problem, setProblem] = useState("");
  /** @param {Event} event */
  const apply = (event) => {
    event.preventDefault();
    const found = customProblem(days.from, days.to);
    setProblem(found);
    if (found) return;
    show({ range: "custom", ...days });
    close();
  };
  /** @param {"from" | "to"} name @param {any} event */
  const change = (name, event) => setDays({ ...days, [name]: event.currentTarget.value });
  return html`<div class="panel range-panel">
    <div class="presets" role="group" aria-label="Ranges">${PRESETS.map(
      ([name, words]) =>
        html`<button class="btn ghost" type="button" aria-pressed=${String(range === name)} onClick=${() => {
          show({ range: name, from: "", to: "" });
          close();
        }}>${words}</button>`,
    )}</div>
    <form class="stack" noValidate onSubmit=${apply}>
      <div class="pair">
        <div class="stack"><label for=${ids[0]}>First day</label><input class="field" type="date" id=${ids[0]} value=${days.from} onInput=${(/** @type {Event} */ event) => change("from", event)} /></div>
        <div class="stack"><label for=${ids[1]}>Last day</label><input class="field" type="date" id=${ids[1]} value=${days.to} aria-invalid=${problem ? "true" : null} aria-describedby=${problem ? ids[2] : null} onInput=${(/** @type {Event} */ event) => change("to", event)} /></div>
      </div>
      ${problem && html`<p class="field-error" id=${ids[2]} role="alert">${problem}</p>`}
      <button class="btn" type="submit">Show these days</button>
    </form>
    <${ZoneField} />
  </div>`;
}

/** Any IANA name; browsers list only the older ones of some places. */
function ZoneField() {
  const ids = [useId(), useId(), useId()];
  const [problem, setProblem] = useState("");
  /** @param {any} event */
  const choose = ({ currentTarget: { value } }) => {
    const name = value.trim();
    setProblem(isZone(name) ? "" : "There is no such time zone. Use a name such as Europe/Paris or UTC.");
    if (isZone(name)) show({ zone: name });
  };
  return html`<div class="stack"><label for=${ids[0]}>Time zone</label>
    <input class="field" id=${ids[0]} list=${ids[1]} autocomplete="off" spellcheck=${false} value=${view.value.zone} onChange=${choose}
      aria-invalid=${problem ? "true" : null} aria-describedby=${problem ? ids[2] : null} />
    <datalist id=${ids[1]}>${zones.value.map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>
    ${problem && html`<p class="field-error" id=${ids[2]} role="alert">${problem}</p>`}
  </div>`;
}

const zones = computed(() => [...new Set([localZone(), "UTC", "Asia/Kolkata", "Asia/Kathmandu", ...Intl.supportedValuesOf("timeZone")])]);

// -------------------------------------------------------------------- filters

/** @param {{ close: () => void }} props */
function FilterPanel({ close }) {
  const [dimension, setDimension] = useState(DIMENSIONS[0][0]);
  const [typed, setTyped] = useState("");
  const [found, setFound] = useState(/** @type {{ name: string, requests: number }[] | null} */ (null));
  const ids = [useId(), useId()];
  useEffect(() => {
    const stop = new AbortController();
    setFound(null);
    if (dimension === "key_id") nameKeys();
    if (dimension === "status") return setFound(["success", "error"].map((name) => ({ name, requests: -1 })));
    getJson(usagePath(span.value, { group_by: dimension, bucket: "month" }, {}), { signal: stop.signal }).then(
      ({ groups }) =>
        setFound(groups.map((/** @type {any} */ group) => ({ name: String(group.key[dimension]), requests: group.totals.requests }))),
      () => stop.signal.aborted || setFound([]),
    );
    return () => stop.abort();
  }, [dimension]);
  const wanted = typed.trim().toLowerCase();
  const matching = (found ?? []).filter(({ name }) => valueWords(dimension, name).toLowerCase().includes(wanted)).slice(0, 12);
  /** @param {string} value */
  const choose = (value) => {
    addFilter(dimension, value);
    close();
  };
  return html`<div class="panel filter-panel">
    <div class="stack"><label for=${ids[0]}>Filter by</label><select class="field" id=${ids[0]} onChange=${(/** @type {any} */ event) => setDimension(event.currentTarget.value)}>
      ${DIMENSIONS.map(([name, words]) => html`<option value=${name}>${words}</option>`)}
    </select></div>
    <form class="stack" onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      if (matching.length || typed.trim()) choose(matching[0]?.name ?? typed.trim());
    }}><label for=${ids[1]}>Find a value</label><input class="field" id=${ids[1]} autocomplete="off" value=${typed} onInput=${(/** @type {any} */ event) => setTyped(event.currentTarget.value)} /></form>
    <ul class="choices" aria-label="Values" aria-busy=${String(found === null)}>${matching.map(
      ({ name, requests }) =>
        html`<li key=${name}><button class="btn ghost" type="button" onClick=${() => choose(name)}><span>${valueWords(dimension, name)}</span>${requests >= 0 && html`<span class="num quiet">${compact(requests)} req</span>`}</button></li>`,
    )}</ul>
    ${found && !matching.length && html`<p class="hint">None in this range. Enter takes what you typed.</p>`}
  </div>`;
}

function Chips() {
  const pairs = filterPairs(view.value.filters);
  if (view.value.filters.key_id) nameKeys();
  return html`${pairs.map(
    ([
      dimension,
      value,
    ]) => html`<button class="chip is-set" type="button" key=${`${dimension}=${value}`} aria-label=${`Remove the filter ${dimensionName(dimension)}: ${valueWords(dimension, value)}`}
      onClick=${() => show({ filters: withoutFilter(view.value.filters, dimension, value) })}><span class="quiet">${dimensionName(dimension)}</span> <span class="chip-value">${valueWords(dimension, value)}</span><${Icon} name="close" /></button>`,
  )}
  ${pairs.length > 1 && html`<button class="btn ghost" type="button" onClick=${() => show({ filters: {} })}>Clear all</button>`}`;
}

/** What can be taken home: everything of the view. @type {[string, string, string][]} */
const EXPORTS = [
  ["csv", "requests", "Requests as CSV"],
  ["jsonl", "requests", "Requests as JSON Lines"],
  ["csv", "groups", "Sums as CSV"],
  ["jsonl", "groups", "Sums as JSON Lines"],
];

function ExportPanel() {
  /** @param {string} rows @returns {Record<string, string>} */
  const more = (rows) => (rows === "groups" ? { rows, group_by: view.value.group, bucket: bucketOf(span.value) } : { rows });
  return html`<div class="panel export-panel"><p class="hint">${rangeName(view.value)}, ${view.value.zone}${filterPairs(view.value.filters).length ? ", with the filters" : ""}. Never what was said.</p>
    ${EXPORTS.map(([format, rows, words]) => html`<a class="btn ghost" download href=${`/api/usage/export?${queryOf(span.value, { format, tz: view.value.zone, ...more(rows) })}`}><${Icon} name="file" />${words}</a>`)}
  </div>`;
}

/** The row of controls; what a page adds comes as children, at its end. @param {{ children?: any }} props */
export function Controls({ children }) {
  const { zone } = view.value;
  return html`<div class="controls" role="group" aria-label="Range and filters">
    <${PanelButton} name="Range and time zone" words=${html`<span data-testid="range">${rangeName(view.value)} <span class="quiet">· ${zone}</span></span>`}>
      ${(/** @type {() => void} */ close) => html`<${RangePanel} close=${close} />`}
    <//>
    <${Chips} />
    <${PanelButton} name="Add a filter" className="ghost" words="Add filter">${(/** @type {() => void} */ close) => html`<${FilterPanel} close=${close} />`}<//>
    <div class="controls-end">${children}<${PanelButton} name="Export" words="Export">${() => html`<${ExportPanel} />`}<//></div>
  </div>`;
}
