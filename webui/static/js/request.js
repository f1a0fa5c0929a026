// One request: its receipt, where the time went, what was said, what was tried.

import { ApiError } from "./api.js";
import { costSource } from "./bill.js";
import { byId, CopyButton, html, Icon, render, useState } from "./core.js";
import { cost, count, DASH, duration, exactCost, NOT_PRICED, statusWords } from "./format.js";
import { useLoaded } from "./loading.js";
import { wallMs } from "./ranges.js";
import { Receipt } from "./receipt.js";
import { conversation } from "./said.js";
import { startShell } from "./shell.js";
import { localZone } from "./urlstate.js";

/** @typedef {import("./receipt.js").RequestRecord} Detail as `GET /api/requests/{id}` gives it */

const unitPrice = new Intl.NumberFormat("en-US", {
  style: "currency",
  currency: "USD",
  minimumFractionDigits: 2,
  maximumFractionDigits: 9,
});
const MOST_CHARACTERS = 20_000;
const requestId = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1) ?? "");

/** "23 Nov 2026 14:03:08.412 Europe/Paris" @param {string} timestamp */
function when(timestamp) {
  const zone = localZone();
  const wall = new Date(wallMs(Date.parse(timestamp), zone)).toISOString();
  return `${wall.slice(0, 10)} ${wall.slice(11, 23)} ${zone}`;
}

/** @param {{ title: string, name: string, span?: string, tools?: any, children?: any }} props */
function Section({ title, name, span = "", tools, children }) {
  return html`<section class=${`card ${span}`} aria-labelledby=${`h-${name}`} data-testid=${`card-${name}`}>
    <header><h2 id=${`h-${name}`}>${title}</h2>${tools && html`<div class="tools">${tools}</div>`}</header>${children}
  </section>`;
}

/** @param {{ record: Detail }} props */
function Head({ record }) {
  const failed = record.status === "error";
  return html`<section class="card head" aria-label="Summary">
    <header><span class=${`pill ${failed ? "err" : "ok"}`} data-testid="status">${record.http_status} ${statusWords(record.http_status) || record.outcome}</span>
      <h2>${record.model}</h2>
      <span class="quiet">${[record.application_id, record.user_id].filter(Boolean).join(" · ")}</span>
    </header>
    ${record.error_message && html`<p class="banner err" data-testid="error-message">${record.error_message}${record.error_code ? html` <code>${record.error_code}</code>` : ""}</p>`}
    <${Receipt} record=${record} link=${false} />
  </section>`;
}

/** @param {{ record: Detail }} props */
function Facts({ record }) {
  const { tokens, route = {} } = record;
  const served = record.upstream_model && !record.model?.endsWith(record.upstream_model) ? record.upstream_model : null;
  /** @type {[string, any][]} */
  const facts = [
    ["Time", record.timestamp ? when(record.timestamp) : DASH],
    ["Application", filterLink("application_id", record.application_id)],
    ["User", filterLink("user_id", record.user_id)],
    ["Key", filterLink("key_id", record.key_id)],
    ["Asked for", route.asked ?? record.model],
    ["Provider", filterLink("provider", record.provider)],
    ["Sent upstream as", served ?? record.upstream_model],
    ["Operation", record.operation],
    ["Stream", record.stream ? "yes" : "no"],
    ["Finish reason", record.finish_reason ?? DASH],
    ["Tokens in", `${count(tokens?.prompt)}${tokens?.cached ? ` (${count(tokens.cached)} cached)` : ""}`],
    ["Tokens out", `${count(tokens?.completion)}${tokens?.reasoning ? ` (${count(tokens.reasoning)} reasoning)` : ""}`],
    ["Counted", record.estimated ? "estimated here" : "by the provider"],
    ["Cost", costSource(record)],
    ["Held at the start", heldWords(record.hold)],
  ];
  return html`<${Section} title="Facts" name="facts"><dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl><//>`;
}

/** What was set aside under hard budgets before the call. @param {any} hold */
function heldWords(hold) {
  if (!hold) return DASH;
  return hold.amount_nano_usd ? exactCost(hold.amount_nano_usd) : "nothing: no hard budget applied";
}

const PERIODS = /** @type {Record<string, string>} */ ({ day: "daily", week: "weekly", month: "monthly", total: "in total" });

/** The budgets that this request counted in. @param {{ record: Detail }} props */
function Budgets({ record }) {
  const budgets = record.budgets ?? [];
  if (!budgets.length) return null;
  return html`<${Section} title=${`Budgets (${budgets.length})`} name="budgets"><ul class="budgets">${budgets.map(
    (
      /** @type {any} */ budget,
    ) => html`<li key=${budget.id}><strong>${typeof budget.scope === "string" ? budget.scope : [budget.scope.kind, budget.scope.name].filter(Boolean).join(" ")}</strong>
      <span>${PERIODS[budget.period] ?? budget.period}${budget.period_start && budget.period !== "total" ? html`, from ${when(budget.period_start).replace(/:00\.000 /, " ")}` : ""}</span>
      <code class="quiet">${budget.id}</code></li>`,
  )}</ul><//>`;
}

/** @param {string} dimension @param {string | null | undefined} value */
const filterLink = (dimension, value) =>
  value ? html`<a href=${`/usage?${new URLSearchParams({ [dimension]: value })}`}>${value}</a>` : "none";

// ------------------------------------------------------------------- timeline

/** Where the time went, in seconds from the start. @param {Detail} record */
export function phases(record) {
  const total = record.response_time ?? 0;
  const first = record.time_to_first_token;
  const gateway = Math.min(record.overhead ?? 0, total);
  const waitEnd = first == null ? total : Math.max(gateway, first);
  const found = [{ name: "gateway", words: "Gateway’s own work", from: 0, to: gateway, className: "count" }];
  found.push({
    name: "wait",
    words: first == null ? "Wait for the answer" : "Wait for first token",
    from: gateway,
    to: waitEnd,
    className: "time",
  });
  if (first != null)
    found.push({ name: "stream", words: "Streaming", from: waitEnd, to: Math.max(total, waitEnd), className: "time soft" });
  return found;
}

/** @param {{ record: Detail }} props */
function Timeline({ record }) {
  const total = record.response_time || 1e-9;
  /** @param {number} seconds */
  const share = (seconds) => `${((Math.min(seconds, total) / total) * 100).toFixed(3)}%`;
  return html`<${Section} title="Timeline" name="timeline" span="span-12" tools=${html`<span class="num time">${duration(record.response_time)}</span>`}>
    <ol class="waterfall">${phases(record).map(
      ({ name, words, from, to, className }) => html`<li key=${name}><span class="name">${words}</span>
        <span class="lane"><span class=${`piece ${className}`} style=${{ marginInlineStart: share(from), width: share(to - from) }}></span></span>
        <span class="num">${duration(to - from)}</span></li>`,
    )}</ol>
  <//>`;
}

// -------------------------------------------------------------------- content

/** Long text in slices. @param {{ text: string }} props */
function LongText({ text }) {
  const [shown, setShown] = useState(MOST_CHARACTERS);
  return html`<pre class="said" tabindex="0">${text.slice(0, shown)}</pre>
    ${text.length > shown && html`<button class="btn" type="button" onClick=${() => setShown(shown + 5 * MOST_CHARACTERS)}>Show more (${count(text.length - shown)} characters left)</button>`}`;
}

/** The messages of a record, as pairs of role and text. @param {Detail} record @returns {[string, string][]} */
export function saidMessages(record) {
  /** @type {any} */
  let messages = record.messages;
  if (typeof messages === "string") {
    try {
      messages = JSON.parse(messages);
    } catch {
      return [["messages", String(record.messages)]];
    }
  }
  if (messages && (!Array.isArray(messages) || messages.length)) return conversation(messages);
  return record.query ? [["user", String(record.query)]] : [];
}

/** @param {{ record: Detail }} props */
function Content({ record }) {
  const said = saidMessages(record);
  if (!said.length && record.response == null) {
    return html`<${Section} title="Messages" name="content"><p class="hint" data-testid="no-content">The content of this request is not stored: the API service runs with <code>STORE_CONTENT=false</code>, the key it came with keeps none, or its retention time is over. The figures are kept. To store content, set <code>STORE_CONTENT=true</code> in <code>.env</code> and start the API service again, or let the key store it.</p><//>`;
  }
  return html`<${Section} title="Messages" name="content">
    ${said.map(([role, text]) => html`<div class="message"><h3>${role}</h3><${LongText} text=${text} /></div>`)}
    <div class="message" data-testid="response"><h3>assistant</h3>${record.response ? html`<${LongText} text=${record.response} />` : html`<p class="hint">${record.status === "error" ? "No answer came: see the error above." : "The answer has no text."}</p>`}</div>
  <//>`;
}

// -------------------------------------------------------------------- receipt

/** What an item of the receipt is called. @param {string} item */
const itemName = (item) => (item === "stated_by_provider" ? "stated by the provider" : item.replaceAll("_", " "));

/** @param {{ record: Detail }} props */
function Bill({ record }) {
  const { price, receipt = [] } = record;
  if (record.cost_nano_usd == null) {
    return html`<${Section} title="Receipt" name="receipt"><p data-testid="bill-total"><span class="cost">${NOT_PRICED}</span></p><p class="hint">The price of ${record.model} is not known, so its cost is not either. It counts as “not priced” in totals, never as $0.</p><//>`;
  }
  return html`<${Section} title="Receipt" name="receipt">
    <table class="bill"><caption class="sr">Quantity times price gives the amount</caption>
      <thead><tr class="quiet"><th scope="col">Item</th><td>Quantity</td><td>Per million</td><td>Amount</td></tr></thead>
      <tbody>${receipt.map(
        (/** @type {any} */ line) =>
          html`<tr data-amount=${line.amount_nano_usd}><th scope="row">${itemName(line.item)}</th><td>${count(line.quantity)}</td><td>${line.unit_price_usd_per_million == null ? DASH : `× ${unitPrice.format(line.unit_price_usd_per_million)}`}</td><td>${exactCost(line.amount_nano_usd)}</td></tr>`,
      )}</tbody>
      <tfoot><tr><th scope="row">Total</th><td></td><td></td><td class="cost" data-testid="bill-total" data-amount=${record.cost_nano_usd}>${record.cost_source === "estimated" ? "≈ " : ""}${exactCost(record.cost_nano_usd)}</td></tr></tfoot>
    </table>
    <p class="caption">${[price && `Price of ${price.name}, version ${price.version}, from ${price.source}`, record.cost_source === "estimated" && "tokens were estimated", savedWords(record), record.attempts > 1 && "earlier attempts are listed under Attempts", correctionsOf(record).length > 0 && "corrected afterwards: see Attempts"].filter(Boolean).join("; ")}</p>
  <//>`;
}

/** @param {{ record: Detail }} props */
function Attempts({ record }) {
  const attempts = (record.attempts_list ?? []).filter((/** @type {any} */ one) => one.kind !== "correction");
  const corrections = correctionsOf(record);
  return html`<${Section} title=${`Attempts (${attempts.length})`} name="attempts">
    <div class="table-scroll" role="region" tabindex="0" aria-label="Attempts: table"><table class="data" aria-label="Attempts">
      <thead><tr><th scope="col" class="num">No.</th><th scope="col">Provider</th><th scope="col">Outcome</th><th scope="col">Why there</th><th scope="col" class="num">Time</th><th scope="col" class="num">First token</th><th scope="col" class="num">Cost</th></tr></thead>
      <tbody>${attempts.map(
        (
          /** @type {any} */ attempt,
        ) => html`<tr><td class="num">${attempt.attempt + 1}</td><td>${attempt.provider}<span class="quiet"> ${attempt.upstream_model}</span></td>
          <td><span class=${`pill ${attempt.http_status >= 400 ? "err" : "ok"}`}>${attempt.http_status}</span> ${attempt.error_code ?? attempt.outcome}</td>
          <td class="quiet">${attempt.reason ?? DASH}</td><td class="num">${duration(attempt.response_time)}</td><td class="num">${duration(attempt.time_to_first_token)}</td><td class="num" title=${exactCost(attempt.cost_nano_usd)}>${cost(attempt.cost_nano_usd == null ? null : attempt.cost_nano_usd / 1e9)}</td></tr>`,
      )}${corrections.map(
        (
          /** @type {any} */ one,
        ) => html`<tr data-testid="correction"><td class="num">${DASH}</td><td colspan="5">Cost corrected${one.recorded_at ? ` on ${when(one.recorded_at)}` : ""}</td>
          <td class="num" title=${exactCost(one.cost_nano_usd)}>${differenceWords(one.cost_nano_usd)}</td></tr>`,
      )}</tbody>
    </table></div>
  <//>`;
}

/** What was added to the cost afterwards. @param {Detail} record */
const correctionsOf = (record) => (record.attempts_list ?? []).filter((/** @type {any} */ one) => one.kind === "correction");

/** What an answer from the cache did not cost. @param {Detail} record */
const savedWords = (record) => {
  const saved = (record.attempts_list ?? []).find((/** @type {any} */ one) => one.saved_nano_usd)?.saved_nano_usd;
  return record.cost_source === "cache" && `from the cache${saved ? `, which saved ${exactCost(saved)}` : ""}`;
};

/** "+$0.0012" @param {number | null} nano */
const differenceWords = (nano) => (nano != null && nano > 0 ? `+${exactCost(nano)}` : exactCost(nano));

/** @param {{ record: Detail }} props */
function Raw({ record }) {
  const [isOpen, setOpen] = useState(false);
  const text = () => JSON.stringify(record, null, 2);
  return html`<${Section} title="Raw record" name="raw" tools=${html`<button class="btn ghost" type="button" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>${isOpen ? "Hide" : "Show"} JSON</button><${CopyButton} text=${text} label="Copy the record as JSON" />`}>
    ${isOpen && html`<${LongText} text=${text()} />`}
  <//>`;
}

// ----------------------------------------------------------------------- page

/** @param {{ error: ApiError, retry: () => void }} props */
function Problem({ error, retry }) {
  const missing = error.status === 404;
  return html`<section class="card empty" data-testid=${missing ? "not-found" : "failed"}>
    <h2>${missing ? "There is no such request" : "This request cannot be shown now"}</h2><p>${error.message}</p>
    ${missing ? html`<a class="btn primary" href="/requests">All requests</a>` : html`<button class="btn primary" type="button" onClick=${retry}><${Icon} name="retry" />Try again</button>`}
  </section>`;
}

function Page() {
  const loaded = useLoaded(`/api/requests/${encodeURIComponent(requestId)}`);
  const record = /** @type {Detail | null} */ (loaded.data);
  return html`<nav class="crumbs" aria-label="Where this is"><a href="/requests">Requests</a><span aria-hidden="true">/</span><code class="whole-id" data-testid="request-id">${requestId}</code><${CopyButton} text=${() => requestId} label="Copy id of this request" words="Copy id" /></nav>
    ${loaded.error && html`<${Problem} error=${loaded.error} retry=${loaded.retry} />`}
    ${!record && !loaded.error && html`<div class="card" aria-busy="true"><div class="skeleton tall"><span class="sr">Loading</span></div></div>`}
    ${
      record &&
      html`<${Head} record=${record} />
      <div class="grid"><${Timeline} record=${record} />
        <div class="span-8 column"><${Content} record=${record} /><${Attempts} record=${record} /><${Raw} record=${record} /></div>
        <div class="span-4 column"><${Bill} record=${record} /><${Budgets} record=${record} /><${Facts} record=${record} /></div></div>`
    }`;
}

/** Draw the page into its shell. */
function start() {
  startShell();
  const place = byId("page");
  place.replaceChildren();
  render(html`<${Page} />`, place);
}

start();
