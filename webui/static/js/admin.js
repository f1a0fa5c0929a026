// What the pages for administrators share: forms in dialogs, menus on rows, confirmations, how a budget stands.
import { ApiError, getJson, me } from "./api.js";
import { CopyButton, computed, html, Icon, openDialog, signal, toast, useEffect, useState } from "./core.js";
import { cost, count, exactCost } from "./format.js";
import { showMenu } from "./menu.js";

/** Whoever is not an administrator reads, and finds no buttons. */
export const mayChange = computed(() => (me.value?.role ?? "admin") === "admin");

// ------------------------------------------------------------------------ lists

/** Grows with every change made here: what is shown is asked for anew. */
export const changes = signal(0);
export const changed = () => {
  changes.value += 1;
};

const MOST_PAGES = 20;

/** Everything of a list, all its pages: `{noun: [...], next_cursor}`. @param {string} path @param {string} noun */
async function everyPage(path, noun) {
  const first = await getJson(`${path}?limit=1000`);
  const found = first[noun];
  for (let cursor = first.next_cursor, page = 1; cursor && page < MOST_PAGES; page += 1) {
    const more = await getJson(`${path}?limit=1000&cursor=${encodeURIComponent(cursor)}`);
    found.push(...more[noun]);
    cursor = more.next_cursor;
  }
  return found;
}

/** A whole list as what a card shows, asked for again after each change. @param {string} path @param {string} noun @returns {import("./loading.js").Loaded} */
export function useAll(path, noun) {
  const [again, setAgain] = useState(0);
  const [state, setState] = useState({
    data: /** @type {any} */ (null),
    error: /** @type {ApiError | null} */ (null),
    tookS: 0,
    isLoading: true,
  });
  useEffect(() => {
    let isCurrent = true;
    const began = performance.now();
    setState((old) => ({ ...old, isLoading: true }));
    everyPage(path, noun).then(
      (data) => isCurrent && setState({ data, error: null, tookS: 0, isLoading: false }),
      (error) => isCurrent && setState((old) => ({ ...old, error, tookS: (performance.now() - began) / 1000, isLoading: false })),
    );
    return () => {
      isCurrent = false;
    };
  }, [path, again, changes.value]);
  return { ...state, path, retry: () => setAgain((count) => count + 1) };
}

// ------------------------------------------------------------------------ forms

/** @typedef {{ name: string, label: string, kind?: "text" | "number" | "choice" | "check" | "list" | "time" | "text area", hint?: string, choices?: [string, string][],
 *   needed?: boolean, placeholder?: string, shown?: (values: Values) => boolean, wide?: boolean, isMore?: boolean, fill?: (value: any, values: Values) => Values }} Field
 *   `shown`: whether it makes sense beside the others; `isMore`: it stands under "More settings"; `fill`: what its choice sets elsewhere
 * @typedef {Record<string, any>} Values texts as typed, and booleans
 * @typedef {{ title: string, submit: string, fields: Field[], values: Values, note?: any, send: (given: Record<string, any>) => Promise<any>, done?: (result: any) => void }} Form
 *   `send` gets the fields that are shown: null where one is empty */

/** What a field gives: a number, a list, an instant; null where nothing was typed. Throws with words for people. @param {Field} field @param {any} typed */
export function readField({ kind = "text", needed, label }, typed) {
  if (kind === "check") return Boolean(typed);
  const text = String(typed ?? "").trim();
  if (!text) {
    if (needed) throw new Error(`${label} is needed.`);
    return kind === "list" ? [] : null;
  }
  if (kind === "number") {
    if (!/^-?\d+(\.\d+)?$/.test(text)) throw new Error(`${label} is a number, such as 10 or 2.5.`);
    return Number(text);
  }
  if (kind === "list") return text.split(/[\s,]+/).filter(Boolean);
  if (kind === "time") return new Date(text).toISOString();
  return text;
}

/** What of a form is other than it was. @param {Field[]} fields @param {Values} before as typed @param {Record<string, any>} given */
export function differences(fields, before, given) {
  const same = (/** @type {Field} */ field) =>
    JSON.stringify(readField({ ...field, needed: false }, before[field.name])) === JSON.stringify(given[field.name]);
  return Object.fromEntries(fields.filter((field) => field.name in given && !same(field)).map(({ name }) => [name, given[name]]));
}

/** "2026-11-24T10:00" in this browser's zone, as a field for an instant wants it. @param {string | null | undefined} instant */
export function localInput(instant) {
  if (!instant) return "";
  const at = new Date(instant);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Ask for values in a dialog and send them; what the API complains of stands at its field, and what was typed stays.
 * @param {Form} form */
export function showForm(form) {
  openDialog(form.title, (close) => html`<${FormBody} form=${form} close=${close} />`);
}

/** @param {{ form: Form, close: () => void }} props */
function FormBody({ form, close }) {
  const [values, setValues] = useState(form.values);
  const [problems, setProblems] = useState(/** @type {Record<string, string>} */ ({}));
  const [isBusy, setBusy] = useState(false);
  const shown = form.fields.filter(({ shown: isShown }) => isShown?.(values) ?? true);
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    /** @type {Record<string, any>} */
    const given = {};
    /** @type {Record<string, string>} */
    const wrong = {};
    for (const field of shown) {
      try {
        given[field.name] = readField(field, values[field.name]);
      } catch (error) {
        wrong[field.name] = /** @type {Error} */ (error).message;
      }
    }
    setProblems(wrong);
    if (Object.keys(wrong).length) return focusFirst(Object.keys(wrong)[0]);
    setBusy(true);
    try {
      const result = await form.send(given);
      close();
      form.done?.(result);
    } catch (error) {
      const at = shown.find(({ name }) => error instanceof ApiError && name === fieldOf(error.param))?.name ?? "";
      setProblems({ [at]: error instanceof Error ? error.message : String(error) });
      setBusy(false);
    }
  };
  const more = shown.filter(({ isMore }) => isMore);
  /** @param {Field} field */
  const drawn = (field, /** @type {number} */ at) =>
    html`<${FormField} key=${field.name} field=${field} value=${values[field.name] ?? ""} problem=${problems[field.name]} isFirst=${at === 0 && !field.isMore}
      set=${(/** @type {any} */ value) => setValues({ ...values, [field.name]: value, ...field.fill?.(value, values) })} />`;
  return html`<form class="stack form" noValidate onSubmit=${submit}>
    ${form.note && html`<p class="hint">${form.note}</p>`}
    <div class="fields">${shown.filter(({ isMore }) => !isMore).map(drawn)}</div>
    ${more.length > 0 && html`<details class="more" open=${more.some(({ name }) => problems[name])}><summary>More settings</summary><div class="fields">${more.map(drawn)}</div></details>`}
    ${problems[""] && html`<p class="banner err" role="alert">${problems[""]}</p>`}
    <div class="row form-end"><button class="btn" type="button" onClick=${close}>Cancel</button>
      <button class="btn primary" type="submit" disabled=${isBusy}>${isBusy ? "Sending…" : form.submit}</button></div>
  </form>`;
}

/** The field that a complaint is about: `rates.input_usd_per_million` is at `input_usd_per_million`. @param {string | null} param */
const fieldOf = (param) =>
  (param ?? "")
    .split(/[.[\]]/)
    .filter(Boolean)
    .at(-1) ?? "";

/** @param {string} name */
const focusFirst = (name) => document.getElementById(`form-${name}`)?.focus();

/** @param {{ field: Field, value: any, problem?: string, isFirst: boolean, set: (value: any) => void }} props */
function FormField({ field, value, problem, isFirst, set }) {
  const { name, label, kind = "text", hint, choices = [], placeholder, wide } = field;
  const id = `form-${name}`;
  const said = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(" ") || null;
  const onInput = (/** @type {any} */ event) => set(event.currentTarget.value);
  const shared = {
    id,
    name,
    "aria-invalid": problem ? "true" : null,
    "aria-describedby": said,
    class: "field",
    placeholder,
    autofocus: isFirst,
  };
  const below = html`${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}${problem && html`<p class="field-error" id=${`${id}-problem`} role="alert">${problem}</p>`}`;
  if (kind === "check")
    return html`<div class=${`stack ${wide ? "whole-row" : ""}`}><label class="check"><input type="checkbox" id=${id} checked=${Boolean(value)} aria-describedby=${said} onChange=${(/** @type {any} */ event) => set(event.currentTarget.checked)} />${label}</label>${below}</div>`;
  const control =
    kind === "choice"
      ? html`<select ...${shared} value=${value} onChange=${onInput}>${choices.map(([key, words]) => html`<option value=${key} selected=${key === value}>${words}</option>`)}</select>`
      : kind === "text area"
        ? html`<textarea ...${shared} rows="4" value=${value} onInput=${onInput}></textarea>`
        : html`<input ...${shared} type=${kind === "time" ? "datetime-local" : "text"} inputmode=${kind === "number" ? "decimal" : null} autocomplete="off" spellcheck=${false} value=${value} onInput=${onInput} />`;
  return html`<div class=${`stack ${wide ? "whole-row" : ""}`}><label for=${id}>${label}</label>${control}${below}</div>`;
}

/** Ask before something that cannot be taken back. @param {{ title: string, text: any, submit: string, act: () => Promise<any>, done: () => void }} what */
export function confirmThat({ title, text, submit, act, done }) {
  openDialog(title, (close) => html`<${Confirmation} ...${{ text, submit, act, done, close }} />`);
}

/** @param {{ text: any, submit: string, act: () => Promise<any>, done: () => void, close: () => void }} props */
function Confirmation({ text, submit, act, done, close }) {
  const [problem, setProblem] = useState("");
  const go = () =>
    act().then(
      () => {
        close();
        done();
      },
      (error) => setProblem(error.message),
    );
  return html`<div class="stack form"><p>${text}</p>
    ${problem && html`<p class="banner err" role="alert">${problem}</p>`}
    <div class="row form-end"><button class="btn" type="button" autofocus onClick=${close}>Cancel</button><button class="btn danger" type="button" onClick=${go}>${submit}</button></div></div>`;
}

/** Do something at once, say so, and say why if it did not work. @param {Promise<any>} work @param {string} words @param {() => void} done */
export async function act(work, words, done) {
  try {
    await work;
    toast(words);
    done();
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error));
  }
}

// ------------------------------------------------------------------------ menus

/** The button that opens what can be done with a row. @param {{ label: string, items: import("./menu.js").Item[] }} props */
export function RowMenu({ label, items }) {
  if (!items.length) return null;
  return html`<button class="btn ghost icon-only" type="button" aria-haspopup="dialog" aria-label=${label} title=${label}
    onClick=${(/** @type {any} */ event) => showMenu(event.currentTarget, label, items)}><${Icon} name="more" /></button>`;
}

// ---------------------------------------------------------------- scopes, budgets

/** What a budget or limit may stand on. @type {[string, string][]} */
export const SCOPES = [
  ["everything", "everything"],
  ["key", "a key"],
  ["user", "a user"],
  ["application", "an application"],
  ["model", "models"],
];

/** @param {{ kind: string, name: string }} scope @param {(keyId: string) => string} [keyName] */
export function scopeWords({ kind, name }, keyName = (id) => id) {
  if (kind === "everything") return "everything";
  return `${kind} ${kind === "key" ? keyName(name) : name}`;
}

/** "60 requests a minute, 8 at once" @param {{ requests_per_minute: number | null, tokens_per_minute: number | null, concurrency: number | null }} limit */
export function limitWords({ requests_per_minute: requests, tokens_per_minute: tokens, concurrency }) {
  const parts = [
    requests != null && `${count(requests)} requests a minute`,
    tokens != null && `${count(tokens)} tokens a minute`,
    concurrency != null && `${count(concurrency)} at once`,
  ];
  return parts.filter(Boolean).join(", ");
}

/** @typedef {{ id: string, scope: { kind: string, name: string }, period: string, tz: string, hard: boolean, thresholds: number[], amount_usd: number, limit_usd: number,
 *   limit_nano_usd: number, spent_usd: number, spent_nano_usd: number, held_usd: number, held_nano_usd: number, remaining_usd: number, remaining_nano_usd: number,
 *   raised_to_usd: number | null, raised_until: string | null, period_start: string, resets_at: string | null }} Budget */

/** When a budget is used up at the pace of its period so far: an instant; null where it is not before it resets, or nothing was spent.
 * @param {Pick<Budget, "spent_nano_usd" | "limit_nano_usd" | "period_start" | "resets_at">} budget @param {number} nowMs */
export function usedUpAt({ spent_nano_usd: spent, limit_nano_usd: limit, period_start, resets_at }, nowMs) {
  const began = Date.parse(period_start);
  if (!spent || spent >= limit || nowMs <= began) return null;
  const at = began + ((nowMs - began) * limit) / spent;
  return resets_at && at >= Date.parse(resets_at) ? null : at;
}

/** "29 Nov 14:00", in a zone. @param {number | string} instant @param {string} zone @param {boolean} [withTime] */
export function dayTime(instant, zone, withTime = true) {
  /** @type {Intl.DateTimeFormatOptions} */
  const parts = { timeZone: zone, day: "numeric", month: "short" };
  if (new Date(instant).getFullYear() !== new Date().getFullYear()) parts.year = "numeric";
  return new Intl.DateTimeFormat("en-GB", withTime ? { ...parts, hour: "2-digit", minute: "2-digit" } : parts).format(new Date(instant));
}

/** @param {Budget} budget @param {number} nowMs */
function pace(budget, nowMs) {
  if (budget.spent_nano_usd >= budget.limit_nano_usd) return budget.hard ? "used up: requests are refused" : "used up";
  const at = usedUpAt(budget, nowMs);
  return at === null ? "" : `at this pace used up ${dayTime(at, budget.tz)}`;
}

/** How far a budget is spent and held, with marks where it warns. @param {{ budget: Budget, nowMs: number }} props */
export function BudgetBar({ budget, nowMs }) {
  const limit = budget.limit_nano_usd;
  /** @param {number} nano */
  const part = (nano) => `${Math.min(100, (nano / limit) * 100).toFixed(2)}%`;
  const used = budget.spent_nano_usd / limit;
  const warns = budget.thresholds.some((threshold) => threshold < 100 && used * 100 >= threshold);
  const state = used >= 1 ? "over" : warns ? "warn" : "ok";
  const forecast = pace(budget, nowMs);
  return html`<div class="budget" data-testid="budget-bar" data-state=${state}>
    <p class="budget-words"><span class="num" title=${exactCost(budget.spent_nano_usd)}>${cost(budget.spent_usd)}</span> <span class="quiet">of <span class="num">${cost(budget.limit_usd)}</span>${
      budget.period === "total" ? " in total" : ` a ${budget.period}`
    }${budget.hard ? "" : ", soft"}</span> <span class="num push">${Math.floor(used * 100)}%</span></p>
    <div class="budget-track" role="meter" aria-label=${`Spent of the budget on ${scopeWords(budget.scope)}`} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.min(100, Math.floor(used * 100))}>
      <span class="spent" style=${{ width: part(budget.spent_nano_usd) }}></span><span class="held" style=${{ width: part(Math.min(budget.held_nano_usd, Math.max(0, limit - budget.spent_nano_usd))) }}></span>
      ${budget.thresholds.filter((at) => at < 100).map((at) => html`<span class="mark" style=${{ insetInlineStart: `${at}%` }}></span>`)}
    </div>
    <p class="caption">${[
      budget.held_nano_usd > 0 && `${cost(budget.held_usd)} held by running requests`,
      forecast,
      budget.raised_until && Date.parse(budget.raised_until) > nowMs && `raised until ${dayTime(budget.raised_until, budget.tz)}`,
      budget.resets_at ? `resets ${dayTime(budget.resets_at, budget.tz)} ${budget.tz}` : "never resets",
    ]
      .filter(Boolean)
      .join(" · ")}</p>
  </div>`;
}

// ------------------------------------------------------------------------- secrets

/** A secret that is shown once: it can be copied, and the dialog stays until somebody says it is stored.
 * @param {{ title: string, secret: string, about: any }} what */
export function showSecret({ title, secret, about }) {
  openDialog(title, (close) => html`<${SecretBox} secret=${secret} about=${about} close=${close} />`, { isSticky: true });
}

/** @param {{ secret: string, about: any, close: () => void }} props */
function SecretBox({ secret, about, close }) {
  const [isStored, setStored] = useState(false);
  return html`<div class="stack form">
    <p>${about} It is shown <strong>this once</strong>: the gateway keeps only a fingerprint of it.</p>
    <div class="secret"><code data-testid="secret">${secret}</code><${CopyButton} text=${() => secret} label="Copy the key" words="Copy" /></div>
    <label class="check"><input type="checkbox" checked=${isStored} onChange=${(/** @type {any} */ event) => setStored(event.currentTarget.checked)} />I have stored it</label>
    <div class="row form-end"><button class="btn primary" type="button" disabled=${!isStored} onClick=${close}>Done</button></div>
  </div>`;
}
