// The receipt: the same line under an answer and at the head of a request page, and its itemised bill.
import { html } from "./core.js";
import { cost, count, duration, exactCost, NOT_PRICED, shortId, tokensPerSecond } from "./format.js";

/** A request as `GET /api/requests/{id}` gives it; its field names are the API's.
 * @typedef {{ prompt: number | null, cached?: number | null, cache_write?: number | null, completion: number | null, reasoning?: number | null, total?: number | null }} Tokens
 * @typedef {{ item: string, quantity: number, usd_per_million: number | null, cost_nano_usd: number | null }} Line
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
    ${link && record.request_id && html`<a class="id" data-testid="receipt-id" href=${`/requests/${record.request_id}`} title=${record.request_id}>${shortId(record.request_id)}</a>`}
  </span>`;
}

/** The receipt line; what stands beside the figures comes as children. @param {{ record: RequestRecord, link?: boolean, children?: any }} props */
export function Receipt({ record, link = true, children }) {
  return html`<div class="receipt" role="group" aria-label="Receipt">
    <${ReceiptFigures} record=${record} link=${link} />${children}
  </div>`;
}

export { cost, NOT_PRICED };
