// The audit log: who changed what, and how it was before and after.
import { dayTime, scopeWords, useAll } from "./admin.js";
import { ApiError, getJson } from "./api.js";
import { byId, html, render, useEffect, useState } from "./core.js";
import { Card, useLoaded } from "./loading.js";
import { startShell } from "./shell.js";
import { localZone } from "./urlstate.js";

/** @typedef {{ id: number, at: string, actor: string, action: string, object_kind: string, object_id: string, before: any, after: any }} Entry
 * @typedef {(keyId: string) => string} KeyName */

/** @type {[string, string][]} */
const KINDS = [
  ["", "everything"],
  ["key", "keys"],
  ["budget", "budgets"],
  ["limit", "rate limits"],
  ["price", "prices"],
  ["book", "price maps"],
];
const QUIET = new Set(["id", "created_at_ms", "updated_at_ms", "digests"]);

/** @param {string} name @param {any} value */
function valueWords(name, value) {
  if (value === null || value === undefined) return "none";
  if (/_nano_usd$/.test(name)) return `$${value / 1e9}`;
  if (/_ms$/.test(name)) return dayTime(value, localZone());
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** @param {any} value */
const isNothing = (value) => value === null || (Array.isArray(value) && !value.length);

/** What is other after than before, by field: [name, before, after]. @param {Entry} entry @returns {[string, string, string][]} */
function differencesOf({ before, after }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])].filter((name) => !QUIET.has(name));
  return names
    .filter((name) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]))
    .filter((name) => (before && after) || !isNothing((before ?? after)[name]))
    .map((name) => [
      name.replace(/_nano_usd$/, "_usd").replace(/_ms$/, ""),
      valueWords(name, before?.[name]),
      valueWords(name, after?.[name]),
    ]);
}

/** What an entry is about, by the name it has or had. @param {Entry} entry @param {KeyName} keyName */
function nameOf({ before, after, object_kind: kind, object_id: id }, keyName) {
  const known = after ?? before ?? {};
  const scope = known.scope && scopeWords(known.scope, keyName);
  const name = known.name ?? (scope ? `on ${scope}` : (known.model ?? known.version ?? id));
  return `${{ limit: "rate limit", book: "price map" }[kind] ?? kind} ${name}`;
}

/** @type {Record<string, string>} */
const DONE = {
  create: "created",
  change: "changed",
  delete: "deleted",
  block: "blocked",
  unblock: "unblocked",
  rotate: "gave a new secret to",
  import: "imported",
};

/** @param {{ entry: Entry, actorName: KeyName, keyName: KeyName }} props */
function Row({ entry, actorName, keyName }) {
  const found = differencesOf(entry);
  const isChange = entry.before && entry.after;
  const line = html`<time class="num caption" datetime=${entry.at}>${dayTime(entry.at, localZone())}</time>
    <span><strong>${actorName(entry.actor)}</strong> ${DONE[entry.action] ?? entry.action} ${nameOf(entry, keyName)}</span>`;
  return html`<li class="entry" data-testid="audit-entry" data-id=${entry.id}>${
    found.length
      ? html`<details><summary>${line}</summary><dl class="facts">${found.map(
          ([name, before, after]) =>
            html`<dt>${name}</dt><dd>${isChange ? html`<del>${before}</del> → <ins>${after}</ins>` : entry.after ? after : before}</dd>`,
        )}</dl></details>`
      : html`<p>${line}</p>`
  }</li>`;
}

function Page() {
  const [kind, setKind] = useState("");
  const [older, setOlder] = useState({
    kind: "",
    entries: /** @type {Entry[]} */ ([]),
    next: /** @type {string | null} */ (null),
    problem: "",
  });
  const keys = useAll("/api/keys", "keys");
  const path = (/** @type {string} */ cursor) =>
    `/api/audit?${new URLSearchParams({ limit: "50", ...(kind && { object_kind: kind }), ...(cursor && { cursor }) })}`;
  const loaded = useLoaded(path(""));
  const names = new Map((keys.data ?? []).map((/** @type {any} */ { id, name }) => [id, name]));
  /** @type {KeyName} */
  const keyName = (id) => names.get(id) ?? id;
  /** @type {KeyName} */
  const actorName = (id) => ({ admin: "the admin key", open_mode: "somebody (open mode)" })[id] ?? keyName(id);
  useEffect(() => {
    setOlder({ kind, entries: [], next: loaded.data?.next_cursor ?? null, problem: "" });
  }, [loaded.data]);
  const more = () =>
    getJson(path(older.next ?? "")).then(
      ({ entries, next_cursor }) => setOlder({ kind, entries: [...older.entries, ...entries], next: next_cursor, problem: "" }),
      (error) => setOlder({ ...older, problem: error instanceof ApiError ? error.message : String(error) }),
    );
  const tools = html`<label for="audit-kind" class="sr">Show</label><select class="field" id="audit-kind" onChange=${(/** @type {any} */ event) => setKind(event.currentTarget.value)}>${KINDS.map(([value, words]) => html`<option value=${value}>${words}</option>`)}</select>`;
  return html`<${Card} name="audit" title="Who changed what" note="Newest first. Nothing here can be changed or deleted." loaded=${loaded} tools=${tools}>${(
    /** @type {{ entries: Entry[] }} */ data,
  ) => {
    const entries = [...data.entries, ...older.entries];
    if (!entries.length) return html`<p class="empty">Nothing has been changed yet.</p>`;
    return html`<ol class="entries" aria-label="Changes">${entries.map((entry) => html`<${Row} key=${entry.id} entry=${entry} actorName=${actorName} keyName=${keyName} />`)}</ol>
      ${older.problem && html`<p class="banner err" role="alert">${older.problem}</p>`}
      <p class="paging">${older.next ? html`<button class="btn" type="button" onClick=${more}>Older changes</button>` : html`<span class="caption">These are all.</span>`}</p>`;
  }}<//>`;
}

startShell();
const place = byId("page");
place.replaceChildren();
render(html`<${Page} />`, place);
