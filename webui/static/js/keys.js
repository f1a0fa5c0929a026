// Virtual keys: who may call what, how far their budgets are spent; and what the key may do that somebody is signed in with.
import {
  act,
  BudgetBar,
  changed,
  changes,
  confirmThat,
  dayTime,
  differences,
  limitWords,
  localInput,
  mayChange,
  RowMenu,
  scopeWords,
  showForm,
  showSecret,
  useAll,
} from "./admin.js";
import { change, me } from "./api.js";
import { byId, html, Icon, render, useState } from "./core.js";
import { atLeast, cost, count, exactCost } from "./format.js";
import { Card, useLoaded } from "./loading.js";
import { startShell } from "./shell.js";
import { SortedTable } from "./table.js";
import { localZone } from "./urlstate.js";

/** @typedef {{ id: string, name: string, role: string, state: string, user_id: string | null, application_id: string | null, models: string[], routes: string[],
 *   may_label_users: boolean, may_label_applications: boolean, default_max_tokens: number | null, max_tokens: number | null, max_cost_per_request_usd: number | null,
 *   store_content: boolean, expires_at: string | null, old_secret_until: string | null, created_at: string, budgets: import("./admin.js").Budget[], limits: any[] }} Key */

const DAYS = 30;
const DAY_MS = 86_400_000;

// ------------------------------------------------------------------------ forms

/** @type {import("./admin.js").Field[]} */
const RIGHTS = [
  { name: "name", label: "Name", needed: true, placeholder: "ci-bot", wide: true },
  {
    name: "role",
    label: "Role",
    kind: "choice",
    choices: [
      ["member", "member: calls models, sees its own"],
      ["viewer", "viewer: reads everything, calls nothing"],
      ["admin", "admin: everything"],
    ],
    wide: true,
  },
  { name: "user_id", label: "Charged to user", placeholder: "each request says", shown: ({ role }) => role !== "viewer" },
  { name: "application_id", label: "Charged to application", placeholder: "each request says", shown: ({ role }) => role !== "viewer" },
  {
    name: "models",
    label: "Models",
    kind: "list",
    placeholder: "every model",
    hint: "Names or globs such as openai/*, separated by commas.",
    wide: true,
    shown: ({ role }) => role === "member",
  },
];
/** @type {import("./admin.js").Field[]} */
const MORE = [
  { name: "expires_at", label: "Expires", kind: "time", isMore: true, hint: "In this browser’s time zone. Empty: never." },
  { name: "max_cost_per_request_usd", label: "Most a request may cost (USD)", kind: "number", isMore: true, placeholder: "no limit" },
  { name: "max_tokens", label: "Longest answer (tokens)", kind: "number", isMore: true, placeholder: "no limit" },
  { name: "default_max_tokens", label: "Longest answer where a request does not say", kind: "number", isMore: true, placeholder: "none" },
  {
    name: "routes",
    label: "Routes",
    kind: "list",
    isMore: true,
    placeholder: "every route of its role",
    hint: "Globs of paths such as /v1/*.",
    wide: true,
    shown: ({ role }) => role !== "admin",
  },
  { name: "may_label_users", label: "Its requests may name other users", kind: "check", isMore: true },
  { name: "may_label_applications", label: "Its requests may name other applications", kind: "check", isMore: true },
  { name: "store_content", label: "Keep its prompts and answers", kind: "check", isMore: true },
];
/** @type {import("./admin.js").Field[]} */
const MONEY = [
  { name: "amount_usd", label: "Budget (USD)", kind: "number", placeholder: "none", shown: ({ role }) => role !== "viewer" },
  {
    name: "period",
    label: "Period",
    kind: "choice",
    choices: [
      ["month", "month"],
      ["week", "week"],
      ["day", "day"],
      ["total", "in total"],
    ],
    shown: ({ role }) => role !== "viewer",
  },
];
/** @type {import("./admin.js").Field[]} */
const SPEED = [
  { name: "requests_per_minute", label: "Requests a minute", kind: "number", isMore: true, placeholder: "no limit" },
  { name: "tokens_per_minute", label: "Tokens a minute", kind: "number", isMore: true, placeholder: "no limit" },
  { name: "concurrency", label: "Requests at once", kind: "number", isMore: true, placeholder: "no limit" },
];
const SPEEDS = SPEED.map(({ name }) => name);

function newKey() {
  showForm({
    title: "New key",
    submit: "Create key",
    fields: [...RIGHTS, ...MONEY, ...SPEED, ...MORE],
    values: { role: "member", period: "month", store_content: true },
    send: ({ amount_usd, period, ...given }) => {
      const limits = Object.fromEntries(SPEEDS.filter((name) => given[name] != null).map((name) => [name, given[name]]));
      const rights = Object.entries(given).filter(([name, value]) => value !== null && !SPEEDS.includes(name));
      return change("POST", "/api/keys", {
        ...Object.fromEntries(rights),
        ...(amount_usd != null && { budgets: [{ amount_usd, period, tz: localZone() }] }),
        ...(Object.keys(limits).length && { limits }),
      });
    },
    done: (key) => {
      changed();
      showSecret({ title: `The key of ${key.name}`, secret: key.key, about: "Give it to whoever is to use it." });
    },
  });
}

/** @param {Key} key */
function editKey(key) {
  const fields = [...RIGHTS, ...MORE];
  const values = { ...key, models: key.models.join(", "), routes: key.routes.join(", "), expires_at: localInput(key.expires_at) };
  showForm({
    title: `Change ${key.name}`,
    submit: "Save",
    fields,
    values,
    note: html`What is changed counts at once, for open streams too. Its budgets and limits are on the <a href="/budgets">budgets page</a>.`,
    send: (given) => change("PATCH", `/api/keys/${key.id}`, differences(fields, values, given)),
    done: changed,
  });
}

/** @param {Key} key */
function rotateKey(key) {
  const grace = /** @type {import("./admin.js").Field} */ ({
    name: "grace_s",
    label: "The old secret is good for",
    kind: "choice",
    wide: true,
    choices: [
      ["0", "not a moment longer"],
      ["3600", "one more hour"],
      ["86400", "one more day"],
      ["604800", "one more week"],
    ],
  });
  showForm({
    title: `New secret for ${key.name}`,
    submit: "Make a new secret",
    fields: [grace],
    values: { grace_s: "0" },
    send: ({ grace_s }) => change("POST", `/api/keys/${key.id}/rotate`, { grace_s: Number(grace_s) }),
    done: (made) => {
      changed();
      showSecret({ title: `The new key of ${key.name}`, secret: made.key, about: "Put it wherever the old one is used." });
    },
  });
}

/** @param {Key} key */
function deleteKey(key) {
  confirmThat({
    title: `Delete ${key.name}?`,
    text: "Its budgets and limits go with it, and whatever runs with it is ended. What it has used stays in every report. This cannot be undone; to stop it for a while, block it.",
    submit: "Delete key",
    act: () => change("DELETE", `/api/keys/${key.id}`),
    done: changed,
  });
}

/** @param {Key} key @returns {import("./menu.js").Item[]} */
function itemsOf(key) {
  const block = key.state === "blocked" ? "unblock" : "block";
  const said = block === "block" ? `${key.name} is blocked; what ran with it has ended` : `${key.name} opens again what it did`;
  return [
    { words: "Change", icon: "edit", act: () => editKey(key) },
    { words: "New secret", icon: "retry", act: () => rotateKey(key) },
    {
      words: block === "block" ? "Block" : "Unblock",
      icon: block === "block" ? "stop" : "tick",
      act: () => act(change("POST", `/api/keys/${key.id}/${block}`), said, changed),
    },
    { words: "Delete", icon: "trash", act: () => deleteKey(key), isDanger: true },
  ];
}

// ------------------------------------------------------------------------- list

/** "until 29 Nov 14:00", or what is the matter with it. @param {Key} key */
function stateWords(key) {
  if (key.state === "blocked") return html`<span class="pill err">blocked</span>`;
  if (key.state === "expired") return html`<span class="pill err">expired</span>`;
  if (key.expires_at) return html`<span class="pill">until ${dayTime(key.expires_at, localZone())}</span>`;
  return null;
}

/** Whom it is charged to. @param {{ user_id: string | null, application_id: string | null }} key */
function Owner({ user_id, application_id }) {
  if (!user_id && !application_id) return html`<span class="quiet">each request says</span>`;
  return html`<span class="lines"><span class=${user_id ? null : "quiet"}>${user_id ?? "any user"}</span><span class="quiet">${application_id ?? "any application"}</span></span>`;
}

/** @param {{ models: string[], routes: string[], role: string }} key */
function Rights({ models, routes, role }) {
  if (role === "admin") return html`<span>everything</span>`;
  if (role === "viewer") return html`<span>reads everything</span>`;
  return html`${models.length ? models.map((model) => html`<code class="glob">${model}</code> `) : "every model"}${routes.length > 0 && html`<span class="quiet">, only ${routes.join(", ")}</span>`}`;
}

/** @param {{ key_: Key, nowMs: number }} props */
function Limits({ key_: { budgets, limits }, nowMs }) {
  if (!budgets.length && !limits.length) return html`<span class="quiet">none of its own</span>`;
  return html`${budgets.map((budget) => html`<${BudgetBar} key=${budget.id} budget=${budget} nowMs=${nowMs} />`)}${limits.map((limit) => html`<p class="caption" key=${limit.id}>${limitWords(limit)}</p>`)}`;
}

/** @param {any} totals */
function Spent({ totals }) {
  if (!totals) return html`<span class="quiet">nothing</span>`;
  const { cost_nano_usd: nano, cost_usd: usd, unpriced_requests: unpriced, requests } = totals;
  return html`<span class="lines"><span class="num" title=${exactCost(nano)}>${atLeast(nano, unpriced, cost(usd))}</span><span class="quiet">${count(requests)} ${requests === 1 ? "request" : "requests"}</span></span>`;
}

/** @param {Record<string, any>} used totals by key @param {number} nowMs @returns {import("./table.js").Column<Key>[]} */
function columnsOf(used, nowMs) {
  return [
    {
      id: "name",
      name: "Key",
      value: (key) => key.name,
      cell: (key) =>
        html`<span class="key-name">${key.name} ${key.role !== "member" && html`<span class="tag">${key.role}</span>`} ${stateWords(key)}</span><code class="caption">sk-gw-${key.id}-…</code>`,
    },
    { id: "owner", name: "Charged to", value: (key) => key.user_id ?? key.application_id, cell: (key) => html`<${Owner} ...${key} />` },
    {
      id: "rights",
      name: "May call",
      value: (key) => key.models.join(" ") || null,
      cell: (key) => html`<${Rights} models=${key.models} routes=${key.routes} role=${key.role} />`,
    },
    {
      id: "limits",
      name: "Budgets and limits",
      value: (key) => Math.max(-1, ...key.budgets.map((budget) => budget.spent_nano_usd / budget.limit_nano_usd)),
      cell: (key) => html`<${Limits} key_=${key} nowMs=${nowMs} />`,
    },
    {
      id: "spent",
      name: `Last ${DAYS} days`,
      numeric: true,
      value: (key) => used[key.id]?.cost_nano_usd ?? null,
      cell: (key) =>
        html`<a class="plain" href=${`/usage?key_id=${key.id}`} title=${`Usage of ${key.name}`}><${Spent} totals=${used[key.id]} /></a>`,
    },
    {
      id: "acts",
      name: "",
      value: () => null,
      cell: (key) => html`<${RowMenu} label=${`What to do with ${key.name}`} items=${mayChange.value ? itemsOf(key) : []} />`,
    },
  ];
}

function Keys() {
  const [words, setWords] = useState("");
  const [withClosed, setWithClosed] = useState(false);
  const nowMs = Date.now();
  const loaded = useAll("/api/keys", "keys");
  const [from] = useState(() => new Date(nowMs - DAYS * DAY_MS).toISOString());
  const usage = useLoaded(`/api/usage?${new URLSearchParams({ from, group_by: "key_id", bucket: "month", limit: "1000" })}`, changes.value);
  /** @type {Record<string, any>} */
  const used = Object.fromEntries((usage.data?.groups ?? []).map((/** @type {any} */ { key, totals }) => [key.key_id, totals]));
  /** @param {Key} key */
  const isWanted = (key) =>
    (withClosed || key.state === "open") &&
    [key.name, key.id, key.user_id, key.application_id].some((text) => text?.toLowerCase().includes(words.trim().toLowerCase()));
  const tools = html`<label class="check"><input type="checkbox" checked=${withClosed} onChange=${(/** @type {any} */ event) => setWithClosed(event.currentTarget.checked)} />Show blocked and expired</label>
    <label class="sr" for="find-key">Find a key</label><input class="field" id="find-key" type="search" placeholder="Find a key" autocomplete="off" value=${words} onInput=${(/** @type {any} */ event) => setWords(event.currentTarget.value)} />
    ${mayChange.value && html`<button class="btn primary" type="button" onClick=${newKey}><${Icon} name="plus" />New key</button>`}`;
  return html`<${Card} name="keys" title="Keys" loaded=${loaded} tools=${tools}>${(/** @type {Key[]} */ keys) => {
    const wanted = keys.filter(isWanted);
    if (!keys.length) return html`<${NoKeys} />`;
    if (!wanted.length)
      return html`<p class="empty"><span>No key matches.${!withClosed && " Blocked and expired ones are not shown."}</span></p>`;
    return html`<${SortedTable} label="Keys" columns=${columnsOf(used, nowMs)} rows=${wanted} keyOf=${(/** @type {Key} */ key) => key.id} first=${{ id: "name", direction: "ascending" }} asCards />`;
  }}<//>`;
}

const NoKeys = () =>
  html`<div class="empty"><p>There are no keys yet.</p><p class="hint">A key lets a person, a team or an application call the gateway with rights, a budget and limits of its own. ${
    me.value ? "" : "As long as no admin key is set, nobody needs one: set GATEWAY_ADMIN_KEY to make everybody show a key."
  }</p></div>`;

// ---------------------------------------------------------------------- one's own

/** What a member's own key may do. */
function OwnKey() {
  const loaded = useLoaded("/api/me", changes.value);
  const nowMs = Date.now();
  return html`<${Card} name="own-key" title="Your key" loaded=${loaded}>${(/** @type {any} */ own) => html`
    <dl class="facts">
      <dt>Name</dt><dd>${own.name}</dd>
      <dt>Role</dt><dd>${own.role}</dd>
      <dt>Charged to</dt><dd><${Owner} ...${own} /></dd>
      <dt>May call</dt><dd><${Rights} models=${own.models} routes=${own.routes} role=${own.role} /></dd>
      <dt>Expires</dt><dd>${own.expires_at ? dayTime(own.expires_at, localZone()) : "never"}</dd>
      <dt>Prompts and answers</dt><dd>${own.store_content ? "are kept" : "are not kept"}</dd>
    </dl>
    <h3>Budgets that count your requests</h3>
    ${own.budgets.length ? html`<ul class="stack plain-list">${own.budgets.map((/** @type {any} */ budget) => html`<li key=${budget.id}><p class="label">${scopeWords(budget.scope)}</p><${BudgetBar} budget=${budget} nowMs=${nowMs} /></li>`)}</ul>` : html`<p class="hint">None.</p>`}
    <h3>Rate limits</h3>
    ${own.limits.length ? html`<ul class="plain-list">${own.limits.map((/** @type {any} */ limit) => html`<li key=${limit.id}>${scopeWords(limit.scope)}: ${limitWords(limit)}</li>`)}</ul>` : html`<p class="hint">None.</p>`}`}<//>`;
}

startShell();
const place = byId("page");
place.replaceChildren();
render(me.value?.role === "member" ? html`<${OwnKey} />` : html`<${Keys} />`, place);
