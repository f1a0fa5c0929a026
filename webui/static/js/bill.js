// The itemised bill of one request.
import { html } from "./core.js";
import { count, DASH, duration, exactCost } from "./format.js";

/** @typedef {import("./receipt.js").RequestRecord} RequestRecord */

/** @type {Record<string, string>} */
const ITEMS = {
  call: "call",
  input: "input",
  input_cached: "input, cached",
  cache_write: "input, written to cache",
  cache_write_1h: "input, cached for 1 h",
  input_audio: "audio input",
  output: "output",
  reasoning: "reasoning",
  output_audio: "audio output",
  stated_by_provider: "as the provider stated",
};

/** @type {Record<string, string>} */
const SOURCES = {
  provider: "stated by the provider",
  computed: "computed from the price list",
  estimated: "estimated: the provider gave no usage",
  cache: "answered from the cache",
  none: "this model has no price here",
};

/** Where the cost comes from. @param {RequestRecord} record */
export function costSource({ cost_source: source, cost_nano_usd: nano }) {
  if (nano == null) return SOURCES.none;
  return SOURCES[source ?? "none"] ?? String(source);
}

/** A receipt with a line for each class of token: quantity × unit price = amount. @param {{ record: RequestRecord }} props */
export function Bill({ record }) {
  const lines = record.receipt ?? [];
  const attempts = record.attempts_list ?? [];
  return html`<div class="paper"><div class="bill-paper" data-testid="bill">
    <table class="bill">
      <caption class="sr">Itemised receipt</caption>
      <thead><tr><th scope="col">Item</th><th scope="col" class="num">Quantity</th><th scope="col" class="num">USD per M</th><th scope="col" class="num">Amount</th></tr></thead>
      <tbody>${lines.map(
        (/** @type {any} */ line) => html`<tr key=${line.item}>
          <th scope="row">${ITEMS[line.item] ?? line.item}</th><td>${count(line.quantity)}</td>
          <td>${line.unit_price_usd_per_million == null ? DASH : Number(line.unit_price_usd_per_million.toPrecision(6))}</td>
          <td class="cost">${exactCost(line.amount_nano_usd)}</td></tr>`,
      )}</tbody>
      <tfoot><tr><th scope="row" colspan="3">Total</th><td class="cost">${exactCost(record.cost_nano_usd)}</td></tr></tfoot>
    </table>
    <dl class="facts">
      <dt>Cost</dt><dd>${costSource(record)}</dd>
      ${record.price && html`<dt>Price list</dt><dd>${record.price.version}</dd>`}
      ${record.overhead != null && html`<dt>The gateway added</dt><dd class="time">${duration(record.overhead)}</dd>`}
      ${
        attempts.length > 1 &&
        html`<dt>Attempts</dt><dd>${attempts.map((/** @type {any} */ one) => `${one.provider} ${one.http_status ?? one.outcome} (${duration(one.response_time)})`).join(" → ")}</dd>`
      }
      <dt>Request</dt><dd class="id"><a href=${`/requests/${record.request_id}`}>${record.request_id}</a></dd>
    </dl>
  </div></div>`;
}
