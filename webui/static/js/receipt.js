// The receipt: the same line under an answer and at the head of a request page, and in words.
import { html } from "./core.js";
import { explain } from "./errors.js";
import { cost, count, duration, exactCost, NOT_PRICED, shortId, tokensPerSecond } from "./format.js";

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

/** "0.41 cents", never in powers of ten @param {number} usd */
const cents = (usd) => `${new Intl.NumberFormat("en-US", { maximumSignificantDigits: 2 }).format(usd * 100)} cents`;

/** "Answer ready, 386 tokens, 1.8 seconds, 0.4 cents" @param {import("./thread.js").Answer} answer */
export function spoken({ record, state, problem }) {
  if (state === "failed" && problem) return `Error: ${explain(problem).title}`;
  const parts = [state === "stopped" ? "Stopped" : "Answer ready"];
  const tokens = record?.tokens?.completion;
  if (tokens != null) parts.push(`${tokens} tokens`);
  if (record?.response_time != null) parts.push(duration(record.response_time).replace(/ s$/, " seconds").replace(/ ms$/, " milliseconds"));
  if (record?.cost_usd === null) parts.push(NOT_PRICED);
  else if (record?.cost_usd != null) parts.push(cents(record.cost_usd));
  return parts.join(", ");
}
