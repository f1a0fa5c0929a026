// What people were told: budgets that crossed a threshold, and whether the webhook took it.
import { dayTime, scopeWords, useAll } from "./admin.js";
import { getJson } from "./api.js";
import { byId, html, render, useEffect, useState } from "./core.js";
import { cost } from "./format.js";
import { Card, useLoaded } from "./loading.js";
import { startShell } from "./shell.js";
import { localZone } from "./urlstate.js";

/** @typedef {{ id: string, at: string, kind: string, subject: string, delivered_at: string | null, details: any }} Alert */

/** @param {Alert} alert @param {(id: string) => string} keyName */
function wordsOf({ kind, subject, details }, keyName) {
  if (kind !== "budget_threshold") return `${kind.replaceAll("_", " ")}: ${subject}`;
  const { scope, period, threshold_percent: percent, spent_usd: spent, limit_usd: limit } = details;
  const of =
    period === "total"
      ? "the budget in total"
      : `the ${{ day: "daily", week: "weekly", month: "monthly" }[/** @type {"day"} */ (period)]} budget`;
  return `${percent}% of ${of} on ${scopeWords(scope, keyName)} is spent: ${cost(spent)} of ${cost(limit)}.`;
}

/** @param {{ alert: Alert, hasWebhook: boolean }} props */
function Delivery({ alert, hasWebhook }) {
  if (alert.delivered_at) return html`<span class="pill ok" title=${dayTime(alert.delivered_at, localZone())}>webhook told</span>`;
  return hasWebhook ? html`<span class="pill">webhook waits</span>` : html`<span class="quiet">logged</span>`;
}

/** @param {{ host: string | null }} props */
function Webhook({ host }) {
  if (host) return html`<p class="hint">Each is also posted to <code>${host}</code>, signed, and tried again for a day.</p>`;
  return html`<p class="hint">To be told elsewhere, put <code>GATEWAY_WEBHOOK_URL</code> and <code>GATEWAY_WEBHOOK_SECRET</code> into .env and start the API service again.</p>`;
}

function Page() {
  const [older, setOlder] = useState({ alerts: /** @type {Alert[]} */ ([]), next: /** @type {string | null} */ (null), problem: "" });
  const loaded = useLoaded("/api/alerts?limit=50");
  const keys = useAll("/api/keys", "keys");
  const names = new Map((keys.data ?? []).map((/** @type {any} */ { id, name }) => [id, name]));
  const keyName = (/** @type {string} */ id) => names.get(id) ?? id;
  useEffect(() => setOlder({ alerts: [], next: loaded.data?.next_cursor ?? null, problem: "" }), [loaded.data]);
  const more = () =>
    getJson(`/api/alerts?${new URLSearchParams({ limit: "50", cursor: older.next ?? "" })}`).then(
      ({ alerts, next_cursor }) => setOlder({ alerts: [...older.alerts, ...alerts], next: next_cursor, problem: "" }),
      (error) => setOlder({ ...older, problem: error.message }),
    );
  return html`<${Card} name="alerts" title="Alerts" note="Newest first" loaded=${loaded}>${(
    /** @type {{ alerts: Alert[], webhook: string | null }} */ data,
  ) => {
    const alerts = [...data.alerts, ...older.alerts];
    return html`<${Webhook} host=${data.webhook} />
      ${
        alerts.length
          ? html`<ol class="entries" aria-label="Alerts">${alerts.map(
              (
                alert,
              ) => html`<li class="entry" key=${alert.id} data-testid="alert"><p><time class="num caption" datetime=${alert.at}>${dayTime(alert.at, localZone())}</time>
              <span>${wordsOf(alert, keyName)}</span> <${Delivery} alert=${alert} hasWebhook=${data.webhook !== null} /></p></li>`,
            )}</ol>`
          : html`<p class="empty"><span>Nothing to tell yet. A <a href="/budgets">budget</a> tells when it crosses one of its thresholds, at 80% and 100% if you do not say otherwise.</span></p>`
      }
      ${older.problem && html`<p class="banner err" role="alert">${older.problem}</p>`}
      ${older.next && html`<p class="paging"><button class="btn" type="button" onClick=${more}>Older alerts</button></p>`}`;
  }}<//>`;
}

startShell();
const place = byId("page");
place.replaceChildren();
render(html`<${Page} />`, place);
