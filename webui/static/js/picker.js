// The model picker: every model of every provider, fuzzy filter, keyboard first.
import { getJson } from "./api.js";
import { computed, giveFocusBack, html, Icon, place, signal, useLayoutEffect, useRef } from "./core.js";
import { contextSize, rate } from "./format.js";

/** @typedef {{ id: string, name: string, mode?: string, input_price_usd_per_million: number | null, output_price_usd_per_million: number | null,
 *   cached_input_price_usd_per_million?: number | null, context_window?: number | null, max_output_tokens?: number | null, abilities?: string[],
 *   provider: string, title: string, callable: boolean, reason: string | null }} Model */

/** @type {import("./core.js").Signal<Model[]>} */
export const models = signal([]);
export const loaded = signal(/** @type {"waiting" | "yes" | "failed"} */ ("waiting"));
/** Providers that cannot be called: name and what to do. */
export const missing = signal(/** @type {{ name: string, title: string, reason: string }[]} */ ([]));

const CHOSEN = "gateway.model";
const RECENT = "gateway.recent-models";
const MOST_RECENT = 4;

export const chosen = signal(localStorage.getItem(CHOSEN) ?? "");
/** Models that are asked beside it, each for itself. */
export const compared = signal(/** @type {string[]} */ ([]));
export const MOST_COMPARED = 3;
export const model = computed(() => models.value.find(({ id }) => id === chosen.value) ?? null);

/** @param {string} id */
export function choose(id) {
  chosen.value = id;
  localStorage.setItem(CHOSEN, id);
  localStorage.setItem(RECENT, JSON.stringify([id, ...recent().filter((other) => other !== id)].slice(0, MOST_RECENT)));
}

/** @returns {string[]} */
function recent() {
  try {
    return JSON.parse(localStorage.getItem(RECENT) ?? "[]");
  } catch {
    return [];
  }
}

/** Read the list; what was chosen stays chosen. */
export async function loadModels() {
  try {
    const { providers } = await getJson("/api/models");
    const groups = Object.entries(providers);
    models.value = groups.flatMap(([provider, group]) =>
      group.models.map((/** @type {any} */ one) => ({
        ...one,
        provider,
        title: group.title ?? provider,
        callable: one.callable ?? group.callable,
        reason: one.reason ?? group.reason,
      })),
    );
    missing.value = groups
      .filter(([, group]) => !group.callable)
      .map(([name, group]) => ({ name, title: group.title ?? name, reason: group.reason ?? "" }));
    loaded.value = "yes";
    if (!chosen.value) chosen.value = firstChoice(models.value);
  } catch (error) {
    loaded.value = models.value.length ? "yes" : "failed";
    throw error;
  }
}

/** A small model of a real provider if there is one, else the demo that shows the most. @param {Model[]} list */
export function firstChoice(list) {
  const callable = list.filter((one) => one.callable);
  const real = callable.filter((one) => one.provider !== "demo");
  const small = real.find((one) => /mini|haiku|flash|small/.test(one.name) && one.input_price_usd_per_million != null);
  return (small ?? real[0] ?? callable.find((one) => one.id === "demo/story") ?? callable[0])?.id ?? "";
}

/** How well a name fits what was typed; null: not at all. Words may come in any order, letters of a word in theirs.
 * @param {string} text @param {string} query */
export function fit(text, query) {
  let score = 0;
  const hay = text.toLowerCase();
  for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const at = hay.indexOf(word);
    if (at >= 0) {
      score += 100 - Math.min(at, 50) + (at === 0 || "/-. :".includes(hay[at - 1]) ? 50 : 0);
      continue;
    }
    let from = 0;
    for (const letter of word) {
      from = hay.indexOf(letter, from) + 1;
      if (from === 0) return null;
    }
    score += 10 - Math.min(9, from - word.length);
  }
  return score - hay.length / 100;
}

/** What the list shows: groups in the API's order; best first within a filter. @param {Model[]} list @param {string} query @param {boolean} all */
export function shown(list, query, all) {
  const open = list.filter((one) => all || one.callable);
  if (!query.trim()) return open;
  const scored = open.flatMap((one) => {
    const score = fit(`${one.id} ${one.title}`, query);
    return score == null ? [] : [{ one, score }];
  });
  const best = new Map();
  for (const { one, score } of scored) best.set(one.provider, Math.max(best.get(one.provider) ?? -1e9, score));
  return scored
    .sort(
      (a, b) => best.get(b.one.provider) - best.get(a.one.provider) || a.one.provider.localeCompare(b.one.provider) || b.score - a.score,
    )
    .map(({ one }) => one);
}

/** "$2.50 · $10.00 per M", "free", "not priced" @param {Model} one */
export function priceWords(one) {
  const [input, output] = [one.input_price_usd_per_million, one.output_price_usd_per_million];
  if (input == null && output == null) return "not priced";
  if (input === 0 && output === 0) return "free";
  return `${rate(input)} · ${rate(output)} per M`;
}

/** @type {Record<string, [string, string]>} */
const ABILITIES = { vision: ["eye", "sees images"], tools: ["tool", "calls tools"], reasoning: ["spark", "reasons"] };

const open = signal(false);
/** Whether the model that is taken is one more to compare with. */
const comparing = signal(false);
const query = signal("");
const showAll = signal(false);
const active = signal(0);
const options = computed(() => {
  const list = shown(models.value, query.value, showAll.value);
  if (query.value.trim()) return list;
  const known = recent().flatMap((id) => list.find((one) => one.id === id) ?? []);
  return known.length > 1 ? [...known.map((one) => ({ ...one, group: "Recent" })), ...list] : list;
});

/** @param {Model & { group?: string }} one @param {number} at */
function Option(one, at) {
  const abilities = (one.abilities ?? []).filter((name) => ABILITIES[name]);
  return html`<li key=${`${one.group ?? ""}${one.id}`} id=${`model-${at}`} role="option" class="option" aria-selected=${at === active.value}
    aria-disabled=${one.callable ? null : "true"} data-at=${at} data-chosen=${one.id === chosen.value ? "" : null}>
    <span class="option-name">${one.name}</span>
    <span class="option-abilities">${abilities.map((name) => html`<span role="img" aria-label=${ABILITIES[name][1]} title=${ABILITIES[name][1]}><${Icon} name=${ABILITIES[name][0]} /></span>`)}</span>
    <span class="option-context num">${one.context_window ? html`${contextSize(one.context_window)}<span class="sr"> tokens of context</span>` : ""}</span>
    <span class="option-price num">${priceWords(one)}</span>
  </li>`;
}

/** @param {(Model & { group?: string })[]} list */
function Groups(list) {
  /** @type {{ name: string, title: string, reason: string | null, items: any[] }[]} */
  const groups = [];
  list.forEach((one, at) => {
    const name = one.group ?? one.provider;
    if (groups.at(-1)?.name !== name)
      groups.push({ name, title: one.group ?? one.title, reason: one.callable ? null : one.reason, items: [] });
    groups.at(-1)?.items.push(Option(one, at));
  });
  return groups.map(
    (group) => html`<ul role="group" aria-labelledby=${`group-${group.name}`} key=${group.name}>
      <li role="presentation" class="group-head" id=${`group-${group.name}`}>${group.title}${group.reason && html`<span class="group-reason">${group.reason}</span>`}</li>
      ${group.items}
    </ul>`,
  );
}

function take(/** @type {number} */ at) {
  const one = options.value[at];
  const id = one ? one.id : query.value.trim();
  if (one ? !one.callable : !id.includes("/")) return;
  if (!comparing.value) choose(id);
  else if (id !== chosen.value && !compared.value.includes(id)) compared.value = [...compared.value, id].slice(0, MOST_COMPARED);
  closePicker();
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const last = options.value.length - 1;
  /** @type {Record<string, () => void>} */
  const moves = {
    ArrowDown: () => move(active.value + 1),
    ArrowUp: () => move(active.value - 1),
    PageDown: () => move(Math.min(last, active.value + 8)),
    PageUp: () => move(Math.max(0, active.value - 8)),
    Home: () => move(0),
    End: () => move(last),
    Enter: () => take(active.value),
    Escape: closePicker,
    Tab: closePicker,
  };
  if (event.isComposing || !moves[event.key] || (event.shiftKey && event.key !== "Tab")) return;
  if (event.key !== "Tab") event.preventDefault();
  event.stopPropagation();
  moves[event.key]();
}

function move(/** @type {number} */ to) {
  const size = options.value.length;
  active.value = size ? (to + size) % size : 0;
  document.getElementById(`model-${active.value}`)?.scrollIntoView({ block: "nearest" });
}

export function openPicker() {
  openFor(false);
}

/** @param {boolean} compare */
function openFor(compare) {
  comparing.value = compare;
  query.value = "";
  if (!models.value.some((one) => one.callable)) showAll.value = true;
  open.value = true;
  active.value = Math.max(
    0,
    options.value.findIndex((one) => one.id === chosen.value),
  );
}

const opener = () =>
  document.getElementById(comparing.value ? "compare-button" : "model-button") ?? document.getElementById("model-button");

function closePicker() {
  open.value = false;
  opener()?.focus();
}

function Panel() {
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    const popover = /** @type {HTMLElement} */ (panel.current);
    popover.showPopover();
    place(popover, /** @type {HTMLElement} */ (opener()));
    popover.querySelector("input")?.focus();
    document.getElementById(`model-${active.value}`)?.scrollIntoView({ block: "center" });
    const onToggle = (/** @type {any} */ event) => {
      if (event.newState !== "closed" || !open.value) return;
      open.value = false;
      giveFocusBack(popover, opener());
    };
    popover.addEventListener("toggle", onToggle);
    return () => popover.removeEventListener("toggle", onToggle);
  }, []);
  const list = options.value;
  const typed = query.value.trim();
  const others = models.value.length - models.value.filter((one) => one.callable).length;
  /** @param {Event} event */
  const onClick = (event) => {
    const option = event.target instanceof Element ? event.target.closest(".option") : null;
    if (option instanceof HTMLElement) take(Number(option.dataset.at));
  };
  return html`<div class="popover picker" popover="auto" ref=${panel} role="dialog" aria-label=${comparing.value ? "Choose a model to compare with" : "Choose a model"}>
    <div class="picker-head">
      <${Icon} name="search" />
      <input class="picker-filter" type="text" role="combobox" aria-label="Filter models" aria-expanded="true" aria-controls="models" aria-autocomplete="list"
        aria-activedescendant=${list.length ? `model-${active.value}` : null} placeholder="Filter by name or provider" autocomplete="off" spellcheck=${false}
        value=${query.value} onKeyDown=${onKey}
        onInput=${(/** @type {any} */ event) => {
          query.value = event.target.value;
          active.value = 0;
        }} />
    </div>
    <div class="picker-list" id="models" role="listbox" aria-label="Models" tabindex="-1" onClick=${onClick}>${Groups(list)}</div>
    ${
      list.length === 0 &&
      html`<p class="picker-none" role="status">${
        loaded.value === "failed"
          ? "The list could not be read. It comes when the API answers."
          : typed.includes("/")
            ? html`Not in the list. <kbd>Enter</kbd> asks for <code>${typed}</code> all the same.`
            : "No model fits. Type provider/model to ask for one that is not listed."
      }</p>`
    }
    <div class="picker-foot">
      <label class="switch"><input type="checkbox" role="switch" checked=${showAll.value} onChange=${(/** @type {any} */ event) => {
        showAll.value = event.target.checked;
        active.value = 0;
      }} />Show the ${others.toLocaleString("en-US")} that cannot be called yet</label>
      <span class="hint push">${list.length.toLocaleString("en-US")} listed</span>
    </div>
  </div>`;
}

/** Models to compare with, and the button that adds one. */
function Compared() {
  if (!chosen.value) return null;
  return html`${compared.value.map(
    (
      id,
    ) => html`<button class="chip is-set compared" type="button" key=${id} aria-label=${`Do not compare with ${id}`} title=${`Do not compare with ${id}`}
      onClick=${() => {
        compared.value = compared.value.filter((other) => other !== id);
      }}><span class="chip-value">${id.split("/").slice(1).join("/")}</span><${Icon} name="close" /></button>`,
  )}
  ${
    compared.value.length < MOST_COMPARED &&
    html`<button class="btn ghost compare-button" id="compare-button" type="button" aria-haspopup="dialog" aria-label="Compare with another model" title="Compare with another model"
    onClick=${() => openFor(true)}><${Icon} name="plus" /><span class="compare-words">Compare</span></button>`
  }`;
}

/** The button in the bar and, when open, the list. */
export function Picker() {
  const one = model.value;
  const [provider, ...rest] = (chosen.value || "").split("/");
  return html`<button class="btn model-button" id="model-button" type="button" aria-haspopup="dialog" aria-expanded=${open.value && !comparing.value}
      data-model=${chosen.value} onClick=${() => (open.value ? closePicker() : openPicker())}>
      <span class="sr">Model: </span><span class="model-name">${chosen.value ? html`<span class="quiet">${provider} / </span>${rest.join("/")}` : "Choose a model"}</span>
      ${one && !compared.value.length && html`<span class="chip num">${priceWords(one)}</span>`}
      <${Icon} name="down" />
    </button>
    <${Compared} />
    ${open.value && html`<${Panel} />`}`;
}
