// Budgets and rate limits: how each stands, at this pace when it is used up, and who holds what of it now.
import {
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
  SCOPES,
  scopeWords,
  showForm,
  useAll,
} from "./admin.js";
import { change } from "./api.js";
import { byId, html, Icon, openDialog, render } from "./core.js";
import { cost, exactCost } from "./format.js";
import { Card, Failure, Skeleton, useLoaded } from "./loading.js";
import { isZone } from "./ranges.js";
import { startShell } from "./shell.js";
import { SortedTable } from "./table.js";
import { localZone } from "./urlstate.js";

/** @typedef {import("./admin.js").Budget} Budget
 * @typedef {import("./admin.js").Field} Field
 * @typedef {{ id: string, scope: { kind: string, name: string }, requests_per_minute: number | null, tokens_per_minute: number | null, concurrency: number | null }} Limit
 * @typedef {(keyId: string) => string} KeyName */

// ------------------------------------------------------------------------ forms

/** The fields that say what something stands on. @param {{ id: string, name: string }[]} keys @returns {Field[]} */
function scopeFields(keys) {
  /** @type {Record<string, [string, string, string]>} */
  const names = {
    user: ["User", "alice", ""],
    application: ["Application", "my-app", ""],
    model: ["Models", "openai/*", "A name or a glob of provider/model."],
  };
  return [
    { name: "kind", label: "On", kind: "choice", choices: SCOPES },
    {
      name: "key",
      label: "Key",
      kind: "choice",
      choices: [
        ["", "choose a key"],
        ...keys.map(({ id, name }) => /** @type {[string, string]} */ ([id, `${name} (${id})`])),
        ["admin", "the admin key"],
      ],
      needed: true,
      shown: ({ kind }) => kind === "key",
    },
    ...Object.entries(names).map(
      ([kind, [label, placeholder, hint]]) =>
        /** @type {Field} */ ({ name: kind, label, placeholder, hint, needed: true, shown: (values) => values.kind === kind }),
    ),
  ];
}

/** A budget's or limit's scope from what a form gave; the rest of what it gave. @param {Record<string, any>} given */
function withScope({ kind, key, user, application, model, ...given }) {
  if (kind === undefined) return given;
  const name = { key, user, application, model }[/** @type {"key"} */ (kind)] ?? "";
  return { ...given, scope: { kind, name } };
}

/** @param {{ kind: string, name: string }} scope */
const scopeValues = ({ kind, name }) => ({ kind, [kind]: name });

/** @type {Field[]} */
const TERMS = [
  { name: "amount_usd", label: "Amount (USD)", kind: "number", needed: true, placeholder: "100" },
  {
    name: "period",
    label: "Period",
    kind: "choice",
    choices: [
      ["month", "month"],
      ["week", "week, from Monday"],
      ["day", "day"],
      ["total", "in total, never again"],
    ],
  },
  {
    name: "hard",
    label: "When it is used up",
    kind: "choice",
    choices: [
      ["true", "refuse requests (hard)"],
      ["false", "only tell (soft)"],
    ],
  },
  {
    name: "thresholds",
    label: "Tell at (%)",
    kind: "list",
    placeholder: "80, 100",
    hint: "An event in the log, the alerts and the webhook.",
  },
  { name: "tz", label: "Time zone of its midnights", placeholder: "UTC", wide: true },
];

/** @param {Record<string, any>} given */
function budgetBody({ hard, thresholds, tz, ...given }) {
  if (tz !== undefined && tz !== null && !isZone(tz))
    throw new Error(`There is no time zone ${tz}. Use a name such as Europe/Paris or UTC.`);
  return {
    ...withScope(given),
    ...(hard !== undefined && { hard: hard === "true" }),
    ...(thresholds?.length && { thresholds: thresholds.map(Number) }),
    ...(tz && { tz }),
  };
}

/** @param {{ id: string, name: string }[]} keys */
function newBudget(keys) {
  showForm({
    title: "New budget",
    submit: "Create budget",
    fields: [...scopeFields(keys), ...TERMS],
    values: { kind: "everything", period: "month", hard: "true", thresholds: "80, 100", tz: localZone() },
    note: "All budgets that count a request apply to it. What was spent already in the current period counts.",
    send: async (given) => change("POST", "/api/budgets", budgetBody(given)),
    done: changed,
  });
}

/** @param {Budget} budget @param {{ id: string, name: string }[]} keys */
function editBudget(budget, keys) {
  const fields = [...scopeFields(keys), ...TERMS];
  const { amount_usd, period, hard, thresholds, tz, scope } = budget;
  const values = { ...scopeValues(scope), amount_usd, period, hard: String(hard), thresholds: thresholds.join(", "), tz };
  showForm({
    title: `Change the budget on ${scopeWords(scope)}`,
    submit: "Save",
    fields,
    values,
    note: "Another amount keeps what is spent; another scope, period or time zone sums it up anew.",
    send: async (given) => {
      const { kind, key, user, application, model, ...others } = differences(fields, values, given);
      const isMoved = [kind, key, user, application, model].some((value) => value !== undefined);
      return change("PATCH", `/api/budgets/${budget.id}`, budgetBody(isMoved ? { ...others, ...scopeOnly(given) } : others));
    },
    done: changed,
  });
}

/** @param {Record<string, any>} given */
const scopeOnly = ({ kind, key, user, application, model }) => ({ kind, key, user, application, model });

/** @param {Budget} budget */
function raiseBudget(budget) {
  showForm({
    title: `Raise the budget on ${scopeWords(budget.scope)} for a while`,
    submit: "Raise",
    fields: [
      { name: "raised_to_usd", label: "Up to (USD)", kind: "number", needed: true },
      { name: "raised_until", label: "Until", kind: "time", needed: true, hint: "In this browser’s time zone." },
    ],
    values: { raised_to_usd: budget.raised_to_usd ?? "", raised_until: localInput(budget.raised_until ?? budget.resets_at) },
    note: `It is ${cost(budget.amount_usd)} otherwise, and is so again afterwards.`,
    send: (given) => change("PATCH", `/api/budgets/${budget.id}`, given),
    done: changed,
  });
}

/** @type {Field[]} */
const SPEED = [
  { name: "requests_per_minute", label: "Requests a minute", kind: "number", placeholder: "no limit" },
  { name: "tokens_per_minute", label: "Tokens a minute", kind: "number", placeholder: "no limit" },
  { name: "concurrency", label: "Requests at once", kind: "number", placeholder: "no limit" },
];

/** @param {{ id: string, name: string }[]} keys */
function newLimit(keys) {
  showForm({
    title: "New rate limit",
    submit: "Create limit",
    fields: [...scopeFields(keys), ...SPEED],
    values: { kind: "user" },
    send: (given) => change("POST", "/api/limits", withScope(given)),
    done: changed,
  });
}

/** @param {Limit} limit */
function editLimit(limit) {
  showForm({
    title: `Change the limit on ${scopeWords(limit.scope)}`,
    submit: "Save",
    fields: SPEED,
    values: limit,
    send: (given) => change("PATCH", `/api/limits/${limit.id}`, given),
    done: changed,
  });
}

// ------------------------------------------------------------------------ budgets

/** What running requests hold of a budget. @param {Budget} budget */
function showHolds(budget) {
  openDialog(`Held of the budget on ${scopeWords(budget.scope)}`, () => html`<${Holds} id=${budget.id} />`);
}

/** @param {{ id: string }} props */
function Holds({ id }) {
  const loaded = useLoaded(`/api/budgets/${id}`);
  if (loaded.error) return html`<${Failure} loaded=${loaded} />`;
  if (!loaded.data) return html`<${Skeleton} height="short" />`;
  const { holds } = loaded.data;
  if (!holds.length) return html`<p class="empty">Nothing runs that holds any of it.</p>`;
  return html`<p class="hint">The most that each may cost; what is left over is free again as soon as it has ended.</p>
    <div class="table-scroll" role="region" tabindex="0" aria-label="Holds: table"><table class="data"><thead><tr><th scope="col">Since</th><th scope="col">Model</th><th scope="col">User</th><th scope="col" class="num">Held</th></tr></thead>
    <tbody>${holds.map((/** @type {any} */ hold) => html`<tr key=${hold.request_id}><td class="num">${dayTime(hold.since, localZone())}</td><td>${hold.model}</td><td>${hold.user_id}</td><td class="num" title=${exactCost(hold.held_nano_usd)}>${cost(hold.held_usd)}</td></tr>`)}</tbody></table></div>`;
}

/** @param {Budget} budget @param {{ id: string, name: string }[]} keys @returns {import("./menu.js").Item[]} */
function itemsOf(budget, keys) {
  const watch = { words: "Who holds how much", icon: "eye", act: () => showHolds(budget) };
  if (!mayChange.value) return [watch];
  return [
    { words: "Change", icon: "edit", act: () => editBudget(budget, keys) },
    { words: "Raise for a while", icon: "send", act: () => raiseBudget(budget) },
    watch,
    {
      words: "Delete",
      icon: "trash",
      isDanger: true,
      act: () =>
        confirmThat({
          title: `Delete the budget on ${scopeWords(budget.scope)}?`,
          text: "From now on it refuses nothing and tells nothing. What was spent stays in every report.",
          submit: "Delete budget",
          act: () => change("DELETE", `/api/budgets/${budget.id}`),
          done: changed,
        }),
    },
  ];
}

/** @param {{ kind: string, name: string }} scope @returns {string} where its requests are */
function usageOf({ kind, name }) {
  const dimension = { key: "key_id", user: "user_id", application: "application_id", model: "model" }[kind];
  return dimension && !/[*?[]/.test(name) ? `/usage?${new URLSearchParams({ range: "month", [dimension]: name })}` : "/usage?range=month";
}

/** @param {{ budgets: Budget[], keys: { id: string, name: string }[], keyName: KeyName }} props */
function BudgetList({ budgets, keys, keyName }) {
  const nowMs = Date.now();
  const used = (/** @type {Budget} */ budget) => budget.spent_nano_usd / budget.limit_nano_usd;
  return html`<ul class="budget-list" aria-label="Budgets">${budgets
    .toSorted((one, other) => used(other) - used(one))
    .map(
      (budget) => html`<li key=${budget.id} data-id=${budget.id}>
        <p class="budget-head"><a href=${usageOf(budget.scope)}>${scopeWords(budget.scope, keyName)}</a>
          <${RowMenu} label=${`What to do with the budget on ${scopeWords(budget.scope, keyName)}`} items=${itemsOf(budget, keys)} /></p>
        <${BudgetBar} budget=${budget} nowMs=${nowMs} />
      </li>`,
    )}</ul>`;
}

// ------------------------------------------------------------------------- limits

/** @param {KeyName} keyName @returns {import("./table.js").Column<Limit>[]} */
const limitColumns = (keyName) => [
  { id: "scope", name: "On", value: (limit) => scopeWords(limit.scope, keyName) },
  { id: "limit", name: "At most", value: limitWords },
  {
    id: "acts",
    name: "",
    value: () => null,
    cell: (limit) =>
      html`<${RowMenu} label=${`What to do with the limit on ${scopeWords(limit.scope, keyName)}`} items=${
        mayChange.value
          ? [
              { words: "Change", icon: "edit", act: () => editLimit(limit) },
              {
                words: "Delete",
                icon: "trash",
                isDanger: true,
                act: () =>
                  confirmThat({
                    title: `Delete the limit on ${scopeWords(limit.scope, keyName)}?`,
                    text: "From now on it slows nothing down.",
                    submit: "Delete limit",
                    act: () => change("DELETE", `/api/limits/${limit.id}`),
                    done: changed,
                  }),
              },
            ]
          : []
      } />`,
  },
];

function Page() {
  const budgets = useAll("/api/budgets", "budgets");
  const limits = useAll("/api/limits", "limits");
  const keys = useAll("/api/keys", "keys");
  /** @type {{ id: string, name: string }[]} */
  const known = keys.data ?? [];
  const names = new Map(known.map(({ id, name }) => [id, name]));
  /** @type {KeyName} */
  const keyName = (id) => names.get(id) ?? id;
  /** @param {string} words @param {(keys: { id: string, name: string }[]) => void} make */
  const button = (words, make) =>
    mayChange.value &&
    html`<button class="btn primary" type="button" onClick=${() => make(known)}><${Icon} name="plus" />${words}</button>`;
  return html`<${Card} name="budgets" title="Budgets" loaded=${budgets} tools=${button("New budget", newBudget)}>${(
    /** @type {Budget[]} */ list,
  ) =>
    list.length
      ? html`<${BudgetList} budgets=${list} keys=${known} keyName=${keyName} key=${changes.value} />`
      : html`<p class="empty">Nothing limits what is spent. A hard budget refuses what would be too much before a provider is called.</p>`}<//>
    <${Card} name="limits" title="Rate limits" loaded=${limits} tools=${button("New limit", newLimit)}>${(/** @type {Limit[]} */ list) =>
      list.length
        ? html`<${SortedTable} label="Rate limits" columns=${limitColumns(keyName)} rows=${list} keyOf=${(/** @type {Limit} */ limit) => limit.id} first=${{ id: "scope", direction: "ascending" }} asCards />`
        : html`<p class="empty">Nothing limits how fast requests come.</p>`}<//>`;
}

startShell();
const place = byId("page");
place.replaceChildren();
render(html`<${Page} />`, place);
