// Every model that is known here: what it costs, what it can do, whether it can be called; and where routes lead.
import { me } from "./api.js";
import { byId, html, render, useState } from "./core.js";
import { contextSize, count, NOT_PRICED, rate } from "./format.js";
import { Card, useLoaded } from "./loading.js";
import { startShell } from "./shell.js";
import { SortedTable } from "./table.js";

/** @typedef {{ id: string, provider: string, title: string, callable: boolean, reason: string | null, input: number | null, output: number | null, cached: number | null,
 *   context: number | null, longest: number | null, abilities: string[] }} Model */

/** What an ability is called. @type {Record<string, string>} */
const ABILITIES = {
  vision: "sees images",
  tools: "calls tools",
  reasoning: "reasons",
  json_schema: "JSON schema",
  prompt_caching: "prompt cache",
  pdf: "reads PDF",
  audio_input: "hears",
  audio_output: "speaks",
  video: "sees video",
  web_search: "web search",
  computer_use: "uses a computer",
};
const MOST_ROWS = 200;

/** @param {any} data @returns {Model[]} */
function modelsOf(data) {
  return Object.entries(data.providers).flatMap(([provider, { title, callable, reason, models }]) =>
    models.map((/** @type {any} */ one) => ({
      id: one.id,
      provider,
      title,
      callable,
      reason,
      input: one.input_price_usd_per_million,
      output: one.output_price_usd_per_million,
      cached: one.cached_input_price_usd_per_million,
      context: one.context_window,
      longest: one.max_output_tokens,
      abilities: one.abilities,
    })),
  );
}

/** @param {number | null} usd */
const price = (usd) => (usd == null ? html`<span class="quiet">${NOT_PRICED}</span>` : rate(usd));

/** @type {import("./table.js").Column<Model>[]} */
const COLUMNS = [
  {
    id: "id",
    name: "Model",
    value: (one) => one.id,
    cell: (one) => html`<code>${one.id}</code>${!one.callable && html` <span class="pill" title=${one.reason}>no key</span>`}`,
  },
  { id: "input", name: "In, $ per M tokens", numeric: true, value: (one) => one.input, cell: (one) => price(one.input) },
  {
    id: "cached",
    name: "Cached in",
    numeric: true,
    value: (one) => one.cached,
    cell: (one) => (one.cached == null ? "–" : rate(one.cached)),
  },
  { id: "output", name: "Out", numeric: true, value: (one) => one.output, cell: (one) => price(one.output) },
  { id: "context", name: "Context", numeric: true, value: (one) => one.context, cell: (one) => contextSize(one.context) },
  { id: "longest", name: "Longest answer", numeric: true, value: (one) => one.longest, cell: (one) => contextSize(one.longest) },
  {
    id: "abilities",
    name: "Abilities",
    value: (one) => one.abilities.length,
    cell: (one) =>
      html`<span class="abilities">${one.abilities.map((name) => html`<span class="tag">${ABILITIES[name] ?? name.replaceAll("_", " ")}</span>`)}</span>`,
  },
];

/** @param {{ models: Model[] }} props */
function ModelTable({ models }) {
  const first = { id: "id", direction: /** @type {const} */ ("ascending") };
  if (!models.length) return html`<p class="empty">No model matches.</p>`;
  return html`<${SortedTable} label="Models" columns=${COLUMNS} rows=${models} keyOf=${(/** @type {Model} */ one) => one.id} first=${first} most=${MOST_ROWS} asCards="compact" />
    <p class="paging"><span class="caption">${models.length > MOST_ROWS ? `The first ${count(MOST_ROWS)} of ${count(models.length)}: narrow them down to see the others.` : `${count(models.length)} in all.`}</span></p>`;
}

function Models() {
  const [words, setWords] = useState("");
  const [ability, setAbility] = useState("");
  const [withOthers, setWithOthers] = useState(false);
  const loaded = useLoaded("/api/models");
  const terms = words.trim().toLowerCase().split(/\s+/);
  /** @param {Model} one */
  const isWanted = (one) =>
    (withOthers || one.callable) &&
    (!ability || one.abilities.includes(ability)) &&
    terms.every((term) => `${one.id} ${one.title}`.toLowerCase().includes(term));
  const tools = html`<label class="check"><input type="checkbox" checked=${withOthers} onChange=${(/** @type {any} */ event) => setWithOthers(event.currentTarget.checked)} />Those without a key as well</label>
    <label class="sr" for="ability">Ability</label><select class="field" id="ability" onChange=${(/** @type {any} */ event) => setAbility(event.currentTarget.value)}><option value="">any ability</option>${Object.entries(ABILITIES).map(([name, said]) => html`<option value=${name}>${said}</option>`)}</select>
    <label class="sr" for="find-model">Find a model</label><input class="field" id="find-model" type="search" placeholder="Find a model" autocomplete="off" value=${words} onInput=${(/** @type {any} */ event) => setWords(event.currentTarget.value)} />`;
  return html`<${Card} name="models" title="Models" loaded=${loaded} tools=${tools}>${(/** @type {any} */ data) => html`
    <${Aliases} aliases=${data.aliases} /><${ModelTable} models=${modelsOf(data).filter(isWanted)} />`}<//>`;
}

/** @param {{ aliases: Record<string, string> }} props */
function Aliases({ aliases }) {
  const all = Object.entries(aliases);
  if (!all.length) return null;
  return html`<p class="hint">Other names: ${all.map(([name, target], at) => html`${at > 0 && ", "}<code>${name}</code> for <code>${target}</code>`)}.</p>`;
}

/** @param {{ ways: any[] }} props */
const Ways = ({ ways }) =>
  html`<ol class="ways">${ways.map((way) => html`<li><code>${way.model}</code> <span class="quiet">${way.deployment === way.model ? "" : way.deployment}</span> <span class=${`pill ${way.health.status === "healthy" ? "ok" : "err"}`}>${way.health.status}</span></li>`)}</ol>`;

/** Where names lead that stand for several deployments. */
function Routes() {
  const loaded = useLoaded("/api/routes");
  return html`<${Card} name="routes" title="Routes" loaded=${loaded} note="names for several deployments, from gateway.toml" height="short">${(
    /** @type {any} */ { routes },
  ) =>
    routes.length
      ? html`<ul class="plain-list">${routes.map(
          (
            /** @type {any} */ route,
          ) => html`<li class="route" key=${route.model}><p><strong>${route.model}</strong> <span class="tag">${route.strategy.replaceAll("_", " ")}</span>${route.affinity && html` <span class="tag">affinity</span>`}</p>
            <${Ways} ways=${route.deployments} />${route.fallbacks.length > 0 && html`<p class="caption">if they fail</p><${Ways} ways=${route.fallbacks} />`}</li>`,
        )}</ul>`
      : html`<p class="empty">There are none. A route has one name for several deployments, and goes round those that fail.</p>`}<//>`;
}

startShell();
const place = byId("page");
place.replaceChildren();
render(html`<${Models} />${me.value?.role !== "member" && html`<${Routes} />`}`, place);
