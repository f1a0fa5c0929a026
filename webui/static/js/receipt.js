// The receipt: the same line under an answer and at the head of a request page, and its itemised bill.
import { html } from "./core.js";
import { cost, count, DASH, duration, exactCost, shortId, tokensPerSecond } from "./format.js";

/** A request as `GET /api/requests/{id}` gives it; its field names are the API's.
 * @typedef {{ prompt: number | null, cached?: number | null, cache_write?: number | null, completion: number | null, reasoning?: number | null, total?: number | null }} Tokens
 * @typedef {{ request_id: string, status?: string, http_status?: number | null, outcome?: string | null, model?: string, provider?: string | null,
 *   tokens?: Tokens | null, cost_usd?: number | null, cost_nano_usd?: number | null, cost_source?: string | null, response_time?: number | null,
 *   time_to_first_token?: number | null, overhead?: number | null, attempts?: any, price?: any, error_message?: string | null, timestamp?: string,
 *   application_id?: string | null, user_id?: string | null, [more: string]: any }} RequestRecord */

/** "1,204 in · 896 cached → 386 out · 40 reasoning" @param {Tokens | null | undefined} tokens */
export function tokenWords(tokens) {
  if (!tokens || (tokens.prompt == null && tokens.completion == null)) return "";
  const cached = tokens.cached ? ` · ${count(tokens.cached)} cached` : "";
  const written = tokens.cache_write ? ` · ${count(tokens.cache_write)} cache-write` : "";
  const reasoning = tokens.reasoning ? ` · ${count(tokens.reasoning)} reasoning` : "";
  return `${count(tokens.prompt)} in${cached}${written} → ${count(tokens.completion)} out${reasoning}`;
}

/** @param {{ id: string, link: boolean }} props */
const RequestId = ({ id, link }) =>
  link
    ? html`<a class="id" data-testid="receipt-id" href=${`/requests/${id}`} title=${id}>${shortId(id)}</a>`
    : html`<span class="id" data-testid="receipt-id" title=${id}>${shortId(id)}</span>`;

/** The figures of one request. @param {{ record: RequestRecord, link?: boolean, children?: any }} props */
export function ReceiptFigures({ record, link = true }) {
  const speed = tokensPerSecond(record.tokens?.completion, record.response_time, record.time_to_first_token);
  const tokens = tokenWords(record.tokens);
  const approximate = record.cost_source === "estimated" ? "≈ " : "";
  const failed = record.http_status != null && record.http_status >= 400;
  return html`<span class="figures">
    ${record.response_time != null && html`<span class="time" data-testid="receipt-time"><b>${duration(record.response_time)}</b> total</span>`}
    ${record.time_to_first_token != null && html`<span class="time" data-testid="receipt-first">${duration(record.time_to_first_token)} first token</span>`}
    ${failed && html`<span class="err" data-testid="receipt-status">${record.http_status}</span>`}
    ${tokens && html`<span class="tokens" data-testid="receipt-tokens">${tokens}</span>`}
    ${speed != null && html`<span data-testid="receipt-speed">${count(speed)} tok/s</span>`}
    ${record.cost_usd !== undefined && html`<span class="cost" data-testid="receipt-cost" title=${exactCost(record.cost_nano_usd)}>${approximate}${cost(record.cost_usd)}</span>`}
    ${record.request_id && html`<${RequestId} id=${record.request_id} link=${link} />`}
  </span>`;
}

/** The receipt line; what stands beside the figures comes as children. @param {{ record: RequestRecord, link?: boolean, children?: any }} props */
export function Receipt({ record, link = true, children }) {
  return html`<div class="receipt" role="group" aria-label="Receipt">
    <${ReceiptFigures} record=${record} link=${link} />${children}
  </div>`;
}

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
