// Requests as rows, newest first: pages by cursor, new ones as they come, search by id over all time.
import { ApiError, getJson } from "./api.js";
import { bucketName, label } from "./chart.js";
import { addFilter, nowMs, PanelButton, queryOf, span, view } from "./controls.js";
import { announce, html, Icon, signal, useEffect, useId, useRef, useState } from "./core.js";
import { cost, count, duration, exactCost, shortId, statusWords } from "./format.js";
import { Failure, Skeleton } from "./loading.js";
import { isOpen, wallMs } from "./ranges.js";

/** @typedef {import("./receipt.js").RequestRecord} Row */

const LIVE_MS = 1500;
const SEARCH_AFTER_MS = 250;

export const isLive = signal(false);

/** "14:03:08", with its date unless that is today, and its year unless that is this one; in the zone. @param {string} timestamp @param {string} zone @param {number} [now] */
export function clockTime(timestamp, zone, now = Date.now()) {
  const wall = new Date(wallMs(Date.parse(timestamp), zone)).toISOString();
  const today = new Date(wallMs(now, zone)).toISOString().slice(0, 10);
  const time = wall.slice(11, 19);
  if (wall.startsWith(today)) return time;
  const day = bucketName(wall, "day");
  return `${wall.slice(0, 4) === today.slice(0, 4) ? day : `${day} ${wall.slice(0, 4)}`} ${time}`;
}

/** Two lists without doubles, newest first; ids begin with the time of admission. @param {Row[]} known @param {Row[]} more @returns {Row[]} */
export function merged(known, more) {
  const ids = new Set(known.map((row) => row.request_id));
  const added = more.filter((row) => !ids.has(row.request_id));
  return [...known, ...added].toSorted((one, other) => (one.request_id < other.request_id ? 1 : -1));
}

/** Columns by name, in their order; the second: figures stand to the right. @type {[string, boolean][]} */
const COLUMNS = [
  ["Time", false],
  ["Application", false],
  ["Model", false],
  ["User", false],
  ["Tokens", true],
  ["Response time", true],
  ["First token", true],
  ["Cost", true],
  ["Status", false],
  ["Request", false],
];
const ALWAYS = ["Model", "Request"];
const LOOK = "request-list";

/** @typedef {{ hidden: string[], isDense: boolean }} Look */

/** How this browser likes the list: columns that are left out, and whether rows stand close. @returns {Look} */
function keptLook() {
  try {
    const { hidden, isDense } = JSON.parse(localStorage.getItem(LOOK) ?? "{}");
    return { hidden: Array.isArray(hidden) ? hidden : [], isDense: isDense === true };
  } catch {
    return { hidden: [], isDense: false };
  }
}
const look = signal(keptLook());

/** @param {Partial<Look>} changes */
function likeIt(changes) {
  look.value = { ...look.value, ...changes };
  localStorage.setItem(LOOK, JSON.stringify(look.value));
}

/** Which columns are shown, and how close the rows stand. */
function LookPanel() {
  const { hidden, isDense } = look.value;
  /** @param {string} name */
  const toggle = (name) => likeIt({ hidden: hidden.includes(name) ? hidden.filter((one) => one !== name) : [...hidden, name] });
  return html`<div class="panel"><fieldset class="stack"><legend class="label">Columns</legend>${COLUMNS.map(
    ([name]) =>
      html`<label class="by" key=${name}><input type="checkbox" checked=${!hidden.includes(name)} disabled=${ALWAYS.includes(name)} onChange=${() => toggle(name)} />${name}</label>`,
  )}</fieldset>
    <label class="by"><input type="checkbox" checked=${isDense} onChange=${() => likeIt({ isDense: !isDense })} />Rows close together</label></div>`;
}

/** @param {{ rows: Row[], label: string, fresh?: Set<string> }} props */
export function RequestTable({ rows, label: name, fresh }) {
  const { hidden, isDense } = look.value;
  const shown = COLUMNS.filter(([head]) => !hidden.includes(head));
  return html`<div class="table-scroll" role="region" tabindex="0" aria-label=${`${name}: table`}>
    <table class=${`data cards ${isDense ? "dense" : ""}`} role="table" aria-label=${name}>
      <thead role="rowgroup"><tr role="row">${shown.map(([head, isNumber]) => html`<th role="columnheader" scope="col" class=${isNumber ? "num" : null}>${head === "Tokens" ? "Tokens in → out" : head}</th>`)}</tr></thead>
      <tbody role="rowgroup">${rows.map((row) => html`<${RequestRow} key=${row.request_id} row=${row} columns=${shown} isNew=${fresh?.has(row.request_id)} />`)}</tbody>
    </table>
  </div>`;
}

/** @param {{ row: Row, columns: [string, boolean][], isNew?: boolean }} props */
function RequestRow({ row, columns, isNew }) {
  return html`<tr role="row" class=${isNew ? "is-new" : null} data-testid="request-row" data-id=${row.request_id}>${columns.map(
    ([head, isNumber]) => {
      const { inside, title, className = "" } = CELLS[head](row);
      const isFigure = isNumber || head === "Time";
      return html`<td role="cell" key=${head} data-head=${head} class=${`${isFigure ? "num" : ""} ${className}`.trim() || null} title=${title}>${inside}</td>`;
    },
  )}</tr>`;
}

/** What stands in each column. @type {Record<string, (row: Row) => { inside: any, title?: string, className?: string }>} */
const CELLS = {
  Time: (row) => ({ inside: clockTime(row.timestamp ?? "", view.value.zone) }),
  Application: (row) => ({ inside: html`<${FilterLink} dimension="application_id" value=${row.application_id} />` }),
  Model: (row) => ({
    inside: html`<${FilterLink} dimension="model" value=${row.model} />${row.status === "error" && html`<p class="row-error" title=${row.error_message}>${failureWords(row)}</p>`}`,
    className: "model",
  }),
  User: (row) => ({ inside: html`<${FilterLink} dimension="user_id" value=${row.user_id} />` }),
  Tokens: ({ tokens }) => ({
    inside: `${count(tokens?.prompt)} → ${count(tokens?.completion)}`,
    title: tokens?.cached ? `${count(tokens.cached)} of the input cached` : undefined,
  }),
  "Response time": (row) => ({ inside: duration(row.response_time) }),
  "First token": (row) => ({ inside: duration(row.time_to_first_token), className: row.time_to_first_token == null ? "unknown" : "" }),
  Cost: (row) => ({ inside: `${row.cost_source === "estimated" ? "≈ " : ""}${cost(row.cost_usd)}`, title: exactCost(row.cost_nano_usd) }),
  Status: (row) => ({ inside: html`<${StatusLink} row=${row} />` }),
  Request: (row) => ({
    inside: html`<a class="id" href=${`/requests/${row.request_id}`} title=${row.request_id}>${shortId(row.request_id)}</a>`,
  }),
};

/** @param {{ row: Row }} props */
function StatusLink({ row }) {
  const words = statusWords(row.http_status);
  return html`<button class="cell-filter" type="button" aria-label=${`${row.http_status} ${words}`.trim()} title=${`Show only these${words && `: ${words}`}`} onClick=${() => addFilter("http_status", String(row.http_status))}><span class=${`pill ${row.status === "error" ? "err" : "ok"}`}>${row.http_status}</span></button>`;
}

/** "rate limited: The provider answered 429" @param {Row} row */
const failureWords = (row) => [statusWords(row.http_status), row.error_message].filter(Boolean).join(": ");

/** @param {{ dimension: string, value: string }} props */
function FilterLink({ dimension, value }) {
  return html`<button class="cell-filter" type="button" title="Show only these" onClick=${() => addFilter(dimension, value)}>${label(value)}</button>`;
}

/** @param {string | null} cursor @param {number} limit */
function listPath(cursor, limit) {
  const query = queryOf(span.value, { limit: String(limit), ...(cursor ? { cursor } : {}) });
  if (isOpen(span.value, nowMs.value)) query.delete("to");
  return `/api/requests?${query}`;
}

/** Pages of the view's requests. @param {number} limit */
function useRequests(limit) {
  const [state, setState] = useState({
    rows: /** @type {Row[]} */ ([]),
    next: /** @type {string | null} */ (null),
    isLoading: true,
    error: /** @type {ApiError | null} */ (null),
    tookS: 0,
    isFirst: true,
  });
  const first = listPath(null, limit);
  const run = useRef(0);
  /** @param {string | null} cursor */
  const load = async (cursor) => {
    const mine = ++run.current;
    const began = performance.now();
    setState((old) => ({ ...old, isLoading: true }));
    try {
      const page = await getJson(listPath(cursor, limit));
      if (mine === run.current)
        setState((old) => ({
          rows: cursor ? merged(old.rows, page.requests) : page.requests,
          next: page.next_cursor,
          isLoading: false,
          error: null,
          tookS: 0,
          isFirst: false,
        }));
    } catch (error) {
      const problem = error instanceof ApiError ? error : new ApiError({ status: 0, code: "error", message: String(error) });
      if (mine === run.current)
        setState((old) => ({ ...old, isLoading: false, error: problem, tookS: (performance.now() - began) / 1000 }));
    }
  };
  const tick = isLive.value ? 0 : nowMs.value;
  useEffect(() => {
    load(null);
  }, [first, tick]);
  /** @param {Row[]} more */
  const add = (more) => setState((old) => ({ ...old, rows: merged(old.rows, more) }));
  return { ...state, add, older: () => load(state.next), retry: () => load(state.rows.length ? state.next : null) };
}

/** New rows while Live is on; they wait while somebody points at the table. @param {Row[]} rows @param {(more: Row[]) => void} add @param {number} limit */
function useLive(rows, add, limit) {
  const [waiting, setWaiting] = useState(/** @type {Row[]} */ ([]));
  const [fresh, setFresh] = useState(/** @type {Set<string>} */ (new Set()));
  const [InFlight, setInFlight] = useState(/** @type {any} */ (null));
  const held = useRef(false);
  const known = useRef(rows);
  known.current = rows;
  const live = isLive.value;
  /** @param {Row[]} more */
  const take = (more) => {
    setWaiting([]);
    setFresh(new Set(more.map((row) => row.request_id)));
    add(more);
  };
  useEffect(() => {
    if (!live) return setInFlight(null);
    let timer = 0;
    let isStopped = false;
    let isAsking = false;
    let isBehind = false;
    const look = async () => {
      clearTimeout(timer);
      isBehind = isAsking;
      if (isAsking || document.hidden || isStopped) return;
      isAsking = true;
      const page = await getJson(listPath(null, limit)).catch(() => ({ requests: [] }));
      isAsking = false;
      if (isStopped) return;
      const ids = new Set(known.current.map((row) => row.request_id));
      const more = page.requests.filter((/** @type {Row} */ row) => !ids.has(row.request_id));
      if (more.length) held.current ? setWaiting(more) : take(more);
      if (isBehind) look();
    };
    // Without events it is asked for again and again.
    const lost = () => {
      clearTimeout(timer);
      timer = setTimeout(() => look().then(lost), LIVE_MS);
    };
    let stop = () => {};
    look();
    document.addEventListener("visibilitychange", look);
    import("./live.js").then(({ follow, InFlight }) => {
      if (isStopped) return;
      stop = follow(look, lost);
      setInFlight(() => InFlight);
    }, lost);
    return () => {
      isStopped = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
      stop();
    };
  }, [live, view.value]);
  /** @param {boolean} on */
  const hold = (on) => {
    held.current = on;
  };
  return { waiting, fresh, hold, take: () => take(waiting), InFlight };
}

/** The list with its search and paging. @param {{ limit: number, title: string }} props */
export function RequestList({ limit, title }) {
  const id = useId();
  const list = useRequests(limit);
  const live = useLive(list.rows, list.add, limit);
  const [searched, setSearched] = useState("");
  return html`<section class="card" aria-labelledby=${id} aria-busy=${String(list.isLoading)} data-testid="card-requests">
    <header><h2 id=${id}>${title}</h2>
      ${live.waiting.length > 0 && html`<button class="chip" type="button" onClick=${live.take}>${live.waiting.length} new ↑</button>`}
      <${SearchField} onSearch=${setSearched} />
      <${PanelButton} name="How the list looks" className="ghost" words="Columns">${() => html`<${LookPanel} />`}<//>
    </header>
    ${live.InFlight && html`<${live.InFlight} />`}
    ${searched ? html`<${Found} prefix=${searched} />` : html`<div onPointerEnter=${() => live.hold(true)} onPointerLeave=${() => live.hold(false)}><${Pages} list=${list} fresh=${live.fresh} title=${title} /></div>`}
  </section>`;
}

/** @param {{ list: ReturnType<typeof useRequests>, fresh: Set<string>, title: string }} props */
function Pages({ list, fresh, title }) {
  const { rows, next, error, isLoading, isFirst, older } = list;
  const end = next ? "" : rows.length ? `All ${count(rows.length)} requests of this range are shown.` : "No requests in this range.";
  return html`${error && html`<${Failure} loaded=${{ ...list, path: null, data: null }} />`}
    ${isFirst && isLoading && html`<${Skeleton} height="tall" />`}
    ${rows.length > 0 && html`<${RequestTable} rows=${rows} label=${title} fresh=${fresh} />`}
    ${!isFirst && html`<p class="paging">${next ? html`<button class="btn" type="button" disabled=${isLoading} onClick=${older}>Older requests</button><span class="caption">${count(rows.length)} shown</span>` : html`<span class="caption">${end}</span>`}</p>`}`;
}

/** @param {{ onSearch: (prefix: string) => void }} props */
function SearchField({ onSearch }) {
  const ids = [useId(), useId()];
  const [problem, setProblem] = useState("");
  const timer = useRef(0);
  /** @param {string} text */
  const search = (text) => {
    const wanted = text.trim().toLowerCase();
    const isId = /^[0-9a-f-]*$/.test(wanted) && wanted.length <= 36;
    setProblem(isId ? "" : "A request id has only 0–9, a–f and hyphens.");
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onSearch(isId ? wanted : ""), SEARCH_AFTER_MS);
  };
  return html`<div class="find push">
    <label class="sr" for=${ids[0]}>Find by request id, any date</label>
    <input class="field id" id=${ids[0]} type="search" placeholder="Find by request id" autocomplete="off" spellcheck=${false} aria-invalid=${problem ? "true" : null} aria-describedby=${problem ? ids[1] : null} onInput=${(/** @type {any} */ event) => search(event.currentTarget.value)} />
    ${problem && html`<p class="field-error" id=${ids[1]} role="alert">${problem}</p>`}
  </div>`;
}

/** What a search over all time found. @param {{ prefix: string }} props */
function Found({ prefix }) {
  const [state, setState] = useState({ rows: /** @type {Row[] | null} */ (null), error: /** @type {ApiError | null} */ (null) });
  useEffect(() => {
    const stop = new AbortController();
    getJson(`/api/requests?${new URLSearchParams({ id: prefix, limit: "20" })}`, { signal: stop.signal }).then(
      (page) => {
        setState({ rows: page.requests, error: null });
        announce(page.requests.length ? `${page.requests.length} found` : "None found");
      },
      (error) => stop.signal.aborted || setState({ rows: null, error }),
    );
    return () => stop.abort();
  }, [prefix]);
  const { rows, error } = state;
  if (error) return html`<p class="banner err" role="alert">${error.message}</p>`;
  if (!rows) return html`<${Skeleton} height="short" />`;
  if (!rows.length)
    return html`<p class="empty" data-testid="nothing-found"><span>No request has an id that begins with <code>${prefix}</code>.</span><span class="hint">The search goes over all time and ignores the filters. Paste the whole id, or its first characters.</span></p>`;
  const { fromMs, toMs } = span.value;
  const outside = rows.filter((row) => Date.parse(row.timestamp ?? "") < fromMs || Date.parse(row.timestamp ?? "") >= toMs).length;
  return html`<p class="hint" data-testid="found-note"><${Icon} name="search" /> ${rows.length === 20 ? "The newest 20" : count(rows.length)} found over all time, without the filters${outside ? `; ${outside} outside the range shown above` : ""}.</p>
    <${RequestTable} rows=${rows} label="Requests found by id" />`;
}
