// Providers: which can be called, what the others lack, and how the models that were called are doing.
import { byId, CopyButton, html, Icon, render, signal, useState } from "./core.js";
import { count, duration, percent } from "./format.js";
import { Card, useLoaded } from "./loading.js";
import { startShell } from "./shell.js";
import { SortedTable } from "./table.js";

/** @typedef {{ deployment: string, status: string, until_s: number, consecutive_failures: number, running: number, requests: number, failures: number,
 *   latency_s: number | null, last_error: string | null }} Health
 * @typedef {{ name: string, title: string, configured: boolean, callable: boolean, reason: string | null, via: string, base_url: string | null,
 *   key_variable: string | null, key_set: boolean, open_connections: number | null, deployments: Health[] }} Provider */

const asked = signal(0);

/** What a model's health is called. @type {Record<string, [string, string]>} */
const STATES = { healthy: ["ok", "healthy"], ejected: ["err", "taken out"], trying: ["warn", "being tried"] };

/** @param {{ health: Health }} props */
function HealthPill({ health: { status, until_s: until, last_error: error } }) {
  const [look, words] = STATES[status] ?? ["", status.replaceAll("_", " ")];
  return html`<span class=${`pill ${look}`} title=${error}>${words}${until > 0 ? ` for ${duration(until)}` : ""}</span>`;
}

/** @type {import("./table.js").Column<Health>[]} */
const HEALTH = [
  { id: "deployment", name: "Model", value: (row) => row.deployment },
  { id: "status", name: "State", value: (row) => row.status, cell: (row) => html`<${HealthPill} health=${row} />` },
  { id: "requests", name: "Calls", numeric: true, value: (row) => row.requests, cell: (row) => count(row.requests) },
  {
    id: "failed",
    name: "Failed",
    numeric: true,
    value: (row) => (row.requests ? row.failures / row.requests : null),
    cell: (row) => percent(row.requests ? row.failures / row.requests : null),
  },
  { id: "latency", name: "Latency", numeric: true, value: (row) => row.latency_s, cell: (row) => duration(row.latency_s) },
  { id: "running", name: "Running", numeric: true, value: (row) => row.running, cell: (row) => count(row.running) },
  {
    id: "error",
    name: "Last error",
    value: (row) => row.last_error,
    cell: (row) => row.last_error ?? html`<span class="quiet">none</span>`,
  },
];

/** @param {{ provider: Provider }} props */
function Configured({ provider }) {
  const {
    name,
    title,
    callable,
    reason,
    via,
    base_url: url,
    key_variable: variable,
    key_set: isSet,
    open_connections: open,
    deployments,
  } = provider;
  return html`<li class="provider" data-provider=${name}>
    <p class="provider-head"><strong>${title}</strong> <code class="caption">${name}/…</code> <span class=${`pill ${callable ? "ok" : "err"}`}>${callable ? "ready" : "cannot be called"}</span>
      ${via === "litellm" && html`<span class="tag" title="Called through LiteLLM, in a process of its own">LiteLLM</span>`}</p>
    ${reason && html`<p class="banner warn">${reason}</p>`}
    <p class="caption">${[url, variable && `${variable} ${isSet ? "is set" : "is not set"}`, open != null && `${count(open)} open ${open === 1 ? "connection" : "connections"}`].filter(Boolean).join(" · ")}</p>
    ${deployments.length > 0 && html`<${SortedTable} label=${`Models of ${title}`} columns=${HEALTH} rows=${deployments} keyOf=${(/** @type {Health} */ row) => row.deployment} first=${{ id: "requests", direction: "descending" }} />`}
  </li>`;
}

/** @param {{ provider: Provider }} props */
function Other({ provider: { name, title, reason, key_variable: variable } }) {
  const line = variable ? `${variable}=` : "";
  return html`<li data-provider=${name}><span>${title} <code class="caption">${name}/…</code></span>
    ${line ? html`<span class="env-line"><code>${line}…</code><${CopyButton} text=${() => line} label=${`Copy the line for ${title}`} /></span>` : html`<span class="quiet">${reason}</span>`}</li>`;
}

/** The first thing that somebody with a new gateway needs to know. */
const FirstRun = () => html`<div class="first-run" data-testid="first-run">
  <h3>No provider is configured yet</h3>
  <p>Put a key into <code>.env</code> at the project’s root, for example:</p>
  <pre tabindex="0"><code>OPENAI_API_KEY=sk-…
ANTHROPIC_API_KEY=sk-ant-…
GOOGLE_API_KEY=…</code></pre>
  <p>Then start the API service again, and check here. Until then the <code>demo/</code> models answer: they need no key and cost nothing.</p>
  <button class="btn primary" type="button" onClick=${() => {
    asked.value += 1;
  }}><${Icon} name="retry" />Check again</button>
</div>`;

function Page() {
  const [words, setWords] = useState("");
  const loaded = useLoaded("/api/providers", asked.value);
  const refresh = () => {
    asked.value += 1;
  };
  const tools = html`<button class="btn icon-only" type="button" aria-label="Refresh" title="Refresh" onClick=${refresh}><${Icon} name="retry" /></button>`;
  /** @type {Provider[]} */
  const all = loaded.data?.providers ?? [];
  const matches = (/** @type {Provider} */ { name, title }) => `${name} ${title}`.toLowerCase().includes(words.trim().toLowerCase());
  const others = all.filter(({ configured }) => !configured);
  const find = html`<label class="sr" for="find-provider">Find a provider</label><input class="field" id="find-provider" type="search" placeholder="Find a provider" autocomplete="off" value=${words} onInput=${(/** @type {any} */ event) => setWords(event.currentTarget.value)} />`;
  return html`<${Card} name="providers" title="Providers" loaded=${loaded} tools=${tools}>${() => {
    const configured = all.filter((provider) => provider.configured);
    return html`${!configured.some(({ via }) => via !== "demo") && html`<${FirstRun} />`}
      <ul class="providers" aria-label="Configured providers">${configured.map((provider) => html`<${Configured} key=${provider.name} provider=${provider} />`)}</ul>`;
  }}<//>
  <${Card} name="more-providers" title="Can be added" loaded=${loaded} tools=${find} note="one line in .env each, then a restart">${() => {
    const found = others.filter(matches);
    return found.length
      ? html`<ul class="other-providers" aria-label="Providers that can be added">${found.map((provider) => html`<${Other} key=${provider.name} provider=${provider} />`)}</ul>`
      : html`<p class="empty">None of that name. Any server that speaks OpenAI’s wire can be added in gateway.toml.</p>`;
  }}<//>`;
}

startShell();
const place = byId("page");
place.replaceChildren();
render(html`<${Page} />`, place);
