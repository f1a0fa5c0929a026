// The price book: models that have no price, prices set here, maps, and what earlier requests should have cost.
import { act, changed, changes, confirmThat, dayTime, localInput, mayChange, RowMenu, showForm } from "./admin.js";
import { ApiError, change, getJson } from "./api.js";
import { byId, html, Icon, openDialog, render, toast, useEffect, useRef, useState } from "./core.js";
import { contextSize, cost, count, exactCost, NOT_PRICED, rate } from "./format.js";
import { Card, useLoaded } from "./loading.js";
import { startShell } from "./shell.js";
import { SortedTable } from "./table.js";
import { localZone } from "./urlstate.js";

/** @typedef {Record<string, number>} Rates in USD per million tokens, or USD for a fee
 * @typedef {{ model: string, mode: string, context_window: number | null, price: null | { name: string, source: string, version: string, rates: Rates, long_context: any[] } }} Row
 * @typedef {{ id: string, model: string, provider: string, effective_from: string, note: string, rates: Rates, long_context: any[], service_tiers: any }} Override */

/** @type {[string, string][]} */
const RATES = [
  ["input_usd_per_million", "Input, $ per M tokens"],
  ["output_usd_per_million", "Output, $ per M tokens"],
  ["cache_read_usd_per_million", "Cached input, $ per M tokens"],
  ["cache_write_usd_per_million", "Cache write, $ per M tokens"],
  ["reasoning_usd_per_million", "Reasoning, $ per M tokens"],
  ["request_usd", "Each request, $"],
];
const RATE_NAMES = RATES.map(([name]) => name);

/** "$2.50 in · $10.00 out" @param {Rates} rates */
const ratesWords = (rates) => `${rate(rates.input_usd_per_million)} in · ${rate(rates.output_usd_per_million)} out`;

// ------------------------------------------------------------------------- setting

/** Models of the book with a price and a name like this one's. @param {string} model @returns {Promise<Row[]>} */
async function alike(model) {
  const tail = model.split("/").at(-1) ?? model;
  if (/[*?[\]]/.test(tail)) return [];
  const { prices } = await getJson(`/api/prices?${new URLSearchParams({ pattern: `*${tail}*`, limit: "20" })}`);
  return prices.filter((/** @type {Row} */ row) => row.price);
}

/** @param {{ model?: string, override?: Override, candidates?: Row[] }} what */
function setPrice({ model = "", override, candidates = [] }) {
  const known = new Map(candidates.map((row) => [row.model, row]));
  /** @type {import("./admin.js").Field[]} */
  const like = candidates.length
    ? [
        {
          name: "like",
          label: "Like",
          kind: "choice",
          wide: true,
          choices: [
            ["", "a price of its own"],
            ...candidates.map(
              (row) => /** @type {[string, string]} */ ([row.model, `${row.model}: ${ratesWords(row.price?.rates ?? {})}`]),
            ),
          ],
          fill: (value) => Object.fromEntries(RATE_NAMES.map((name) => [name, known.get(value)?.price?.rates[name] ?? ""])),
        },
      ]
    : [];
  const rates = RATES.map(
    ([name, label], at) =>
      /** @type {import("./admin.js").Field} */ ({
        name,
        label,
        kind: "number",
        needed: at < 2,
        isMore: at > 2,
        placeholder: at < 2 ? "" : at < 5 ? "as input or output" : "none",
      }),
  );
  showForm({
    title: override ? `Change the price of ${override.model}` : "Set a price",
    submit: "Set price",
    fields: [
      { name: "model", label: "Model", needed: true, wide: true, placeholder: "openai/gpt-4o", hint: "A name, or a glob such as vllm/*." },
      ...like,
      ...rates,
      {
        name: "effective_from",
        label: "From",
        kind: "time",
        hint: "Empty: from now on. A past date changes earlier requests only when they are priced anew.",
      },
      { name: "note", label: "Note", placeholder: "contract of 2026", isMore: true },
    ],
    values: { model, ...override, ...override?.rates, effective_from: localInput(override?.effective_from) },
    send: ({ model: name, note, effective_from, like: _like, ...given }) => {
      const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
      const kept = override
        ? Object.fromEntries(Object.entries(override.rates).filter(([rateName]) => !RATE_NAMES.includes(rateName)))
        : {};
      const body = { model: name, rates: { ...kept, ...stated }, note: note ?? "", ...(effective_from && { effective_from }) };
      if (!override) return change("POST", "/api/prices/overrides", body);
      const { provider, long_context, service_tiers } = override;
      return change("PUT", `/api/prices/overrides/${override.id}`, { ...body, provider, long_context, service_tiers });
    },
    done: changed,
  });
}

/** Take over what the book has for a model of the same name. @param {string} model @param {Row} row */
function takePrice(model, row) {
  const { rates = {}, long_context = [] } = row.price ?? {};
  const body = { model, rates, long_context, note: `as ${row.model}` };
  return act(
    change("POST", "/api/prices/overrides", body),
    `${model} costs what ${row.model} does: ${ratesWords(rates)} per M tokens`,
    changed,
  );
}

// ------------------------------------------------------------------------ unpriced

/** @param {{ model: string, requests: number, isPriced: boolean }} props */
function Unpriced({ model, requests, isPriced }) {
  const [candidates, setCandidates] = useState(/** @type {Row[]} */ ([]));
  useEffect(() => {
    alike(model).then(setCandidates, () => {});
  }, [model]);
  if (isPriced)
    return html`<li data-model=${model}><span><code>${model}</code> <span class="quiet">has a price now; ${count(requests)} earlier ${requests === 1 ? "request has" : "requests have"} none</span></span>
      ${mayChange.value && html`<button class="btn" type="button" onClick=${priceAnew}>Price them</button>`}</li>`;
  const same = candidates.find((row) => row.model.split("/").at(-1) === model.split("/").at(-1));
  return html`<li data-model=${model}><span><code>${model}</code> <span class="quiet">${count(requests)} ${requests === 1 ? "request" : "requests"}</span></span>
    ${
      mayChange.value &&
      html`<span class="row">${same && html`<button class="btn" type="button" onClick=${() => takePrice(model, same)}>Take ${ratesWords(same.price?.rates ?? {})} <span class="quiet">of ${same.model}</span></button>`}
      <button class="btn" type="button" onClick=${() => setPrice({ model, candidates })}>Set price</button></span>`
    }</li>`;
}

// ----------------------------------------------------------------------- overrides

/** @param {Override} override @returns {import("./menu.js").Item[]} */
function itemsOf(override) {
  return [
    { words: "Change", icon: "edit", act: () => setPrice({ override, model: override.model }) },
    {
      words: "Take back",
      icon: "trash",
      isDanger: true,
      act: () =>
        confirmThat({
          title: `Take back the price of ${override.model}?`,
          text: "From now on it costs what the map says, or is not priced. Earlier requests keep their cost.",
          submit: "Take back",
          act: () => change("DELETE", `/api/prices/overrides/${override.id}`),
          done: changed,
        }),
    },
  ];
}

/** @type {import("./table.js").Column<Override>[]} */
const OVERRIDES = [
  {
    id: "model",
    name: "Model",
    value: (one) => one.model,
    cell: (one) => html`<code>${one.model}</code>${one.provider && html` <span class="quiet">at ${one.provider}</span>`}`,
  },
  {
    id: "input",
    name: "In, $ per M",
    numeric: true,
    value: (one) => one.rates.input_usd_per_million,
    cell: (one) => rate(one.rates.input_usd_per_million),
  },
  {
    id: "output",
    name: "Out",
    numeric: true,
    value: (one) => one.rates.output_usd_per_million,
    cell: (one) => rate(one.rates.output_usd_per_million),
  },
  { id: "from", name: "From", value: (one) => one.effective_from, cell: (one) => dayTime(one.effective_from, localZone()) },
  { id: "note", name: "Note", value: (one) => one.note || null, cell: (one) => one.note || html`<span class="quiet">none</span>` },
  {
    id: "acts",
    name: "",
    value: () => null,
    cell: (one) => html`<${RowMenu} label=${`What to do with the price of ${one.model}`} items=${mayChange.value ? itemsOf(one) : []} />`,
  },
];

// --------------------------------------------------------------------------- book

/** @type {import("./table.js").Column<Row>[]} */
const BOOK = [
  { id: "model", name: "Model", value: (row) => row.model, cell: (row) => html`<code>${row.model}</code>` },
  {
    id: "input",
    name: "In, $ per M",
    numeric: true,
    value: (row) => row.price?.rates.input_usd_per_million ?? null,
    cell: (row) => (row.price ? rate(row.price.rates.input_usd_per_million) : NOT_PRICED),
  },
  {
    id: "cached",
    name: "Cached in",
    numeric: true,
    value: (row) => row.price?.rates.cache_read_usd_per_million ?? null,
    cell: (row) => (row.price?.rates.cache_read_usd_per_million == null ? "–" : rate(row.price.rates.cache_read_usd_per_million)),
  },
  {
    id: "output",
    name: "Out",
    numeric: true,
    value: (row) => row.price?.rates.output_usd_per_million ?? null,
    cell: (row) => (row.price ? rate(row.price.rates.output_usd_per_million) : NOT_PRICED),
  },
  { id: "context", name: "Context", numeric: true, value: (row) => row.context_window, cell: (row) => contextSize(row.context_window) },
  {
    id: "source",
    name: "From",
    value: (row) => row.price?.version ?? null,
    cell: (row) => row.price?.version ?? html`<span class="quiet">nowhere</span>`,
  },
];
const SEARCH_AFTER_MS = 250;

function Book() {
  const [words, setWords] = useState("");
  const [pattern, setPattern] = useState("*");
  const timer = useRef(0);
  const loaded = useLoaded(`/api/prices?${new URLSearchParams({ pattern, limit: "100" })}`, changes.value);
  /** @param {string} typed */
  const search = (typed) => {
    setWords(typed);
    clearTimeout(timer.current);
    timer.current = setTimeout(
      () => setPattern(/[*?]/.test(typed) ? typed.trim() : `*${typed.trim()}*`.replace("**", "*")),
      SEARCH_AFTER_MS,
    );
  };
  const tools = html`<label class="sr" for="find-price">Find a model’s price</label><input class="field" id="find-price" type="search" placeholder="Find a model" autocomplete="off" value=${words} onInput=${(/** @type {any} */ event) => search(event.currentTarget.value)} />`;
  return html`<${Card} name="book" title="The price book" loaded=${loaded} tools=${tools} note=${loaded.data?.version}>${(
    /** @type {any} */ { prices, next_cursor: next },
  ) =>
    prices.length
      ? html`<${SortedTable} label="Prices" columns=${BOOK} rows=${prices} keyOf=${(/** @type {Row} */ row) => row.model} first=${{ id: "model", direction: "ascending" }} asCards="compact" />
        <p class="paging"><span class="caption">${next ? "The first 100: narrow them down to see the others." : `${count(prices.length)} in all.`}</span></p>`
      : html`<p class="empty">No model of that name is in the book.</p>`}<//>`;
}

// ---------------------------------------------------------------------------- maps

/** A newer map, first as what it would change. @param {File} file */
async function importMap(file) {
  try {
    const map = JSON.parse(await file.text());
    const found = await change("POST", "/api/prices/import", { map });
    openDialog("Import this map of prices?", (close) => html`<${Difference} found=${found} map=${map} close=${close} />`);
  } catch (error) {
    toast(error instanceof SyntaxError ? `${file.name} is not JSON.` : error instanceof Error ? error.message : String(error));
  }
}

/** @param {{ found: any, map: any, close: () => void }} props */
function Difference({ found, map, close }) {
  const [isSure, setSure] = useState(false);
  const [problem, setProblem] = useState("");
  const suspects = found.changed.filter((/** @type {any} */ one) => one.is_suspect);
  const isSuspect = found.suspects.length > 0;
  const apply = () =>
    change("POST", "/api/prices/import", { map, apply: true, confirm: isSure }).then(
      () => {
        close();
        changed();
        toast("The new prices hold from now on");
      },
      (error) => setProblem(error.message),
    );
  return html`<div class="stack form"><p>${count(found.new.length)} new models, ${count(found.gone.length)} gone (they keep their last price), ${count(found.changed.length)} changed prices.</p>
    ${isSuspect && html`<div class="banner warn"><div><strong>Look at these first:</strong><ul>${found.suspects.slice(0, 12).map((/** @type {any} */ one) => html`<li>${typeof one === "string" ? one : JSON.stringify(one)}</li>`)}</ul></div></div>`}
    ${
      found.changed.length > 0 &&
      html`<div class="table-scroll" role="region" tabindex="0" aria-label="Changed prices: table"><table class="data"><thead><tr><th scope="col">Model</th><th scope="col">What</th><th scope="col" class="num">Before</th><th scope="col" class="num">After</th></tr></thead>
      <tbody>${[...suspects, ...found.changed.filter((/** @type {any} */ one) => !one.is_suspect)].slice(0, 100).map((one) => html`<tr><td>${one.model}</td><td>${one.item}</td><td class="num">${rate(one.before)}</td><td class="num">${rate(one.after)}</td></tr>`)}</tbody></table></div>`
    }
    ${isSuspect && html`<label class="check"><input type="checkbox" checked=${isSure} onChange=${(/** @type {any} */ event) => setSure(event.currentTarget.checked)} />They are right</label>`}
    ${problem && html`<p class="banner err" role="alert">${problem}</p>`}
    <div class="row form-end"><button class="btn" type="button" onClick=${close}>Cancel</button><button class="btn primary" type="button" disabled=${isSuspect && !isSure} onClick=${apply}>Import</button></div></div>`;
}

// -------------------------------------------------------------------------- anew

function priceAnew() {
  showForm({
    title: "Price earlier requests anew",
    submit: "See what would change",
    fields: [
      { name: "from", label: "From", kind: "time", needed: true },
      { name: "to", label: "To", kind: "time", hint: "Empty: until now." },
    ],
    values: { from: localInput(new Date(Date.now() - 30 * 86_400_000).toISOString()) },
    note: "First only looks. Costs that a provider stated stay as they are.",
    send: async ({ from, to }) => {
      const given = { from, to: to ?? new Date().toISOString() };
      return { given, found: await change("POST", "/api/prices/recompute", given) };
    },
    done: ({ given, found }) =>
      openDialog("What would change", (close) => html`<${Recomputed} given=${given} found=${found} close=${close} />`),
  });
}

/** @param {{ given: any, found: any, close: () => void }} props */
function Recomputed({ given, found, close }) {
  const [problem, setProblem] = useState("");
  const apply = () =>
    change("POST", "/api/prices/recompute", { ...given, apply: true }).then(
      () => {
        close();
        changed();
        toast(`${count(found.corrections)} corrections are in the ledger`);
      },
      (error) => setProblem(error instanceof ApiError ? error.message : String(error)),
    );
  if (!found.corrections) return html`<p class="empty">Nothing: ${count(found.attempts)} calls cost what the book says.</p>`;
  return html`<div class="stack form"><p>${count(found.corrections)} of ${count(found.attempts)} calls, <strong class="num" title=${exactCost(found.difference_nano_usd)}>${found.difference_nano_usd > 0 ? "+" : ""}${cost(found.difference_usd)}</strong> in all.</p>
    <div class="table-scroll" role="region" tabindex="0" aria-label="Models: table"><table class="data"><thead><tr><th scope="col">Model</th><th scope="col" class="num">Calls</th><th scope="col" class="num">Newly priced</th><th scope="col" class="num">Before</th><th scope="col" class="num">After</th></tr></thead>
      <tbody>${found.models.map((/** @type {any} */ one) => html`<tr><td>${one.model}</td><td class="num">${count(one.corrections)}</td><td class="num">${count(one.newly_priced)}</td><td class="num">${cost(one.before_usd)}</td><td class="num">${cost(one.after_usd)}</td></tr>`)}</tbody></table></div>
    ${problem && html`<p class="banner err" role="alert">${problem}</p>`}
    <div class="row form-end"><button class="btn" type="button" onClick=${close}>Cancel</button><button class="btn primary" type="button" onClick=${apply}>Correct the ledger</button></div></div>`;
}

// ---------------------------------------------------------------------------- page

/** @param {{ maps: any[] }} props */
function Maps({ maps }) {
  if (!maps.length) return html`<p class="hint">Only the map that came with the package is in force.</p>`;
  return html`<ul class="plain-list">${maps.map(
    (
      one,
    ) => html`<li key=${one.version}><strong>${one.version}</strong> <span class="quiet">${count(one.models)} models, from ${dayTime(one.effective_from, localZone())}</span>
      <${RowMenu} label=${`What to do with the map ${one.version}`} items=${
        mayChange.value
          ? [
              {
                words: "Delete",
                icon: "trash",
                isDanger: true,
                act: () =>
                  confirmThat({
                    title: `Delete the map ${one.version}?`,
                    text: "The map before it holds again. Earlier requests keep their cost.",
                    submit: "Delete map",
                    act: () => change("DELETE", `/api/prices/maps/${encodeURIComponent(one.version)}`),
                    done: changed,
                  }),
              },
            ]
          : []
      } /></li>`,
  )}</ul>`;
}

function Page() {
  const loaded = useLoaded("/api/prices?limit=1", changes.value);
  const chooser = useRef(/** @type {HTMLInputElement | null} */ (null));
  /** @param {any} event */
  const onFile = ({ currentTarget }) => {
    const [file] = currentTarget.files;
    currentTarget.value = "";
    if (file) importMap(file);
  };
  const tools =
    mayChange.value &&
    html`<button class="btn" type="button" onClick=${priceAnew}><${Icon} name="retry" />Price anew</button>
    <button class="btn" type="button" onClick=${() => chooser.current?.click()}><${Icon} name="file" />Import a map</button><input type="file" accept="application/json,.json" hidden ref=${chooser} onChange=${onFile} />
    <button class="btn primary" type="button" onClick=${() => setPrice({})}><${Icon} name="plus" />Set a price</button>`;
  return html`<${Card} name="prices" title="Prices set here" loaded=${loaded} tools=${tools} height="short">${(
    /** @type {any} */ { overrides, maps, unpriced_in_use: unpriced },
  ) => html`
    ${
      unpriced.length > 0 &&
      html`<section class="unpriced" aria-labelledby="unpriced-title"><h3 id="unpriced-title"><${Icon} name="warn" />In use, and not priced</h3>
      <p class="hint">Requests for these cost “${NOT_PRICED}”, and hard budgets refuse a model that has no price.</p>
      <ul class="other-providers">${unpriced.map((/** @type {any} */ one) => html`<${Unpriced} key=${one.model} model=${one.model} requests=${one.unpriced_requests} isPriced=${one.priced_now} />`)}</ul></section>`
    }
    ${overrides.length ? html`<${SortedTable} label="Prices set here" columns=${OVERRIDES} rows=${overrides} keyOf=${(/** @type {Override} */ one) => one.id} first=${{ id: "model", direction: "ascending" }} asCards="compact" />` : html`<p class="hint">None: all prices are the maps’.</p>`}
    <h3>Maps</h3><${Maps} maps=${maps} />`}<//>
    <${Book} />`;
}

startShell();
const place = byId("page");
place.replaceChildren();
render(html`<${Page} />`, place);
