// Every error in plain words: what happened, where, and what to do.
import { count, exactCost } from "./format.js";

/** @typedef {"retry" | "model" | "new" | "parameters"} Action
 * @typedef {{ status: number, code: string, message: string, requestId?: string | null, retryAfter?: number | null, admitted?: boolean, details?: any }} Problem
 * @typedef {{ title: string, advice: string, line?: string, actions: Action[] }} Explanation */

/** By code of the API (api.md), or of this console. @type {Record<string, Explanation>} */
const BY_CODE = {
  invalid_request: { title: "The API refused this request.", advice: "Change what it names, then send again.", actions: ["retry"] },
  unauthenticated: {
    title: "Your key no longer opens the gateway.",
    advice: "It was blocked, replaced or deleted, or it has expired. Sign in with another one; what came is kept.",
    actions: [],
  },
  signed_out: { title: "You are signed out.", advice: "Sign in again; what you typed is kept.", actions: [] },
  budget_exceeded: {
    title: "A budget has not enough left for this.",
    advice: "Use a cheaper model or fewer output tokens, wait until it resets, or ask an administrator to raise it.",
    actions: ["model", "parameters", "retry"],
  },
  model_price_unknown: {
    title: "This model has no price, and a hard limit on cost applies.",
    advice: "Choose a model that has a price. An administrator can also set one for this model, on the page Prices.",
    actions: ["model", "retry"],
  },
  not_allowed: {
    title: "This is not allowed with this key.",
    advice: "Choose another model, or ask an administrator for the right.",
    actions: ["model"],
  },
  idempotency_in_progress: {
    title: "The first request of this kind still runs.",
    advice: "It is not sent twice. Wait a moment, then try again.",
    actions: ["retry"],
  },
  idempotency_result_not_stored: {
    title: "This was answered and billed already, but the answer was not kept.",
    advice: "Trying again sends a new request, which is billed anew.",
    actions: ["retry"],
  },
  idempotency_mismatch: {
    title: "This repetition is not the request it repeats.",
    advice: "Trying again sends it as a request of its own.",
    actions: ["retry"],
  },
  unknown_model: { title: "There is no such model.", advice: "Choose one from the list.", actions: ["model"] },
  not_found: { title: "There is no such thing.", advice: "Look at the name, then try again.", actions: ["retry"] },
  too_large: { title: "This conversation is too long to send.", advice: "Shorten the message, or begin a new chat.", actions: ["new"] },
  rate_limited: { title: "A rate limit is reached.", advice: "Wait until it is free again, then try once more.", actions: ["retry"] },
  provider_limited: {
    title: "The provider takes no more requests for now.",
    advice: "Wait, then try again, or use another model.",
    actions: ["retry", "model"],
  },
  provider_not_configured: {
    title: "This provider has no key here.",
    advice: "Put this line into .env at the project’s root, with your key, and start the API service again:",
    actions: ["model", "retry"],
  },
  provider_rejected: {
    title: "The provider refused the request.",
    advice: "Its own words say why. Try another model.",
    actions: ["retry", "model"],
  },
  provider_unavailable: {
    title: "The provider is not answering well.",
    advice: "Try again in a moment, or use another model.",
    actions: ["retry", "model"],
  },
  provider_timeout: { title: "The provider took too long.", advice: "Try again, or use a faster model.", actions: ["retry", "model"] },
  overloaded: { title: "The gateway is very busy.", advice: "Try again in a few seconds.", actions: ["retry"] },
  store_unavailable: {
    title: "The gateway cannot write its ledger, so it takes no calls.",
    advice: "Look at the API service’s disk and log, then try again.",
    actions: ["retry"],
  },
  shutting_down: { title: "The API service is stopping.", advice: "Try again when it is back.", actions: ["retry"] },
  request_timeout: { title: "The request did not arrive in time.", advice: "Try again.", actions: ["retry"] },
  api_unreachable: {
    title: "The API service does not answer.",
    advice: "Start it, then try again. Your message is kept.",
    actions: ["retry"],
  },
  console_unreachable: { title: "The console’s server does not answer.", advice: "Start it, then try again.", actions: ["retry"] },
  cut: {
    title: "The answer was cut off.",
    advice: "The connection ended before the answer was finished. What came is kept.",
    actions: ["retry", "model"],
  },
  closed: {
    title: "This answer was not finished.",
    advice: "The page was closed or reloaded while it came. What came is kept.",
    actions: ["retry"],
  },
};

/** By status, for codes that a provider made up. @type {[(status: number) => boolean, Explanation][]} */
const BY_STATUS = [
  [
    (status) => status === 401,
    {
      title: "The provider refused its key.",
      advice: "Look at this provider’s key in .env, then start the API service again.",
      actions: ["model"],
    },
  ],
  [
    (status) => status === 402,
    { title: "The provider wants to be paid first.", advice: "Look at your account there.", actions: ["model"] },
  ],
  [(status) => status === 403, { title: "The provider does not allow this.", advice: "Try another model.", actions: ["model"] }],
  [(status) => status === 404, BY_CODE.unknown_model],
  [(status) => status === 413, BY_CODE.too_large],
  [(status) => status === 429, BY_CODE.provider_limited],
  [(status) => status === 504 || status === 408, BY_CODE.provider_timeout],
  [(status) => status >= 400 && status < 500, BY_CODE.provider_rejected],
  [(status) => status >= 502, BY_CODE.provider_unavailable],
];
/** @type {Explanation} */
const REFUSED_KEY = {
  title: "The provider refused its key.",
  advice: "Look at this line in .env, then start the API service again:",
  actions: ["model", "retry"],
};
const UNKNOWN = {
  title: "Something went wrong in the gateway.",
  advice: "Its log has the reason under the request’s id.",
  actions: ["retry"],
};

const ONE_REQUEST = {
  title: "This request may cost more than your key allows for one.",
  advice: "Use a cheaper model, send less, or set fewer output tokens.",
  actions: /** @type {Action[]} */ (["model", "parameters"]),
};

const MODEL_IS_LIMITED = {
  title: "A rate limit is reached.",
  advice: "Wait until it is free again, or use another model: this limit is on the model.",
  actions: /** @type {Action[]} */ (["retry", "model"]),
};
const TOO_MANY_TOKENS = {
  title: "This request is larger than a rate limit lets through.",
  advice: "Waiting does not help: send less, or set fewer output tokens.",
  actions: /** @type {Action[]} */ (["parameters", "model"]),
};

/** @param {Problem} problem @returns {Explanation} */
export function explain({ status, code, message, details }) {
  if (code === "rate_limited" && details?.limit) return limitReached(details.limit);
  if (code === "budget_exceeded" && details?.max_cost_per_request_usd != null) return ONE_REQUEST;
  const known = BY_CODE[code] ?? BY_STATUS.find(([matches]) => matches(status))?.[1];
  const found = /** @type {Explanation} */ (known ?? UNKNOWN);
  if (code === "provider_not_configured") return { ...found, line: envLine(message) };
  return /refused the key/.test(message) ? { ...REFUSED_KEY, line: envLine(message) } : found;
}

/** @param {any} limit @returns {Explanation} */
function limitReached({ retry_after_s: waitS, scope }) {
  if (waitS === null) return TOO_MANY_TOKENS;
  return scopeWords(scope).startsWith("model ") ? MODEL_IS_LIMITED : BY_CODE.rate_limited;
}

// ------------------------------------------------- what budgets and limits say

/** @type {Record<string, string>} */
const PERIODS = { day: "Daily", week: "Weekly", month: "Monthly", total: "Total" };
/** @type {Record<string, (limit: number) => string>} */
const LIMITS = {
  requests_per_minute: (limit) => `${count(limit)} requests a minute`,
  tokens_per_minute: (limit) => `${count(limit)} tokens a minute`,
  concurrency: (limit) => `${count(limit)} ${limit === 1 ? "request" : "requests"} at once`,
};
/** @type {Record<string, string>} */
const LEFT = { requests_per_minute: "requests", tokens_per_minute: "tokens", concurrency: "more at once" };

/** "user alice", "everything" @param {any} scope as text, or `{kind, name}` */
export const scopeWords = (scope) => (typeof scope === "string" ? scope : [scope?.kind, scope?.name].filter(Boolean).join(" "));

/** "1 Dec 2026, 00:00 CET" @param {string} iso @param {string} [zone] */
export function moment(iso, zone) {
  const form = {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
    timeZone: zone,
  };
  return new Intl.DateTimeFormat("en-GB", /** @type {any} */ (form)).format(new Date(iso));
}

/** @param {number} usd */
const exactUsd = (usd) => exactCost(Math.round(usd * 1e9));

/** The figures behind a refusal, as pairs of name and words. @param {Problem} problem @param {string} [zone] @returns {[string, string][]} */
export function figuresOf({ code, details }, zone) {
  if (!details) return [];
  if (details.max_cost_per_request_usd != null) {
    return [
      ["Allowed for one request", exactUsd(details.max_cost_per_request_usd)],
      ["This one may cost up to", exactUsd(details.needed_usd)],
    ];
  }
  if (code === "model_price_unknown") return unpricedFigures(details);
  if (details.budget) return budgetFigures(details.budget, zone);
  return details.limit ? limitFigures(details.limit) : [];
}

/** @param {any} details @returns {[string, string][]} */
function unpricedFigures({ model, budget }) {
  return [...(model ? [pair("Model", model)] : []), ...(budget ? [pair("Hard budget on", scopeWords(budget.scope))] : [])];
}

/** @param {any} budget @param {string} [zone] @returns {[string, string][]} */
function budgetFigures({ scope, period, limit_usd: limit, spent_usd: spent, held_usd: held, needed_usd: needed, resets_at: resets }, zone) {
  return [
    ["Budget", `${PERIODS[period] ?? period}, on ${scopeWords(scope)}`],
    ["Limit", exactUsd(limit)],
    ["Spent", exactUsd(spent)],
    ["Held by running requests", exactUsd(held)],
    ["Left", exactUsd(Math.max(0, limit - spent - held))],
    ["This request may cost up to", exactUsd(needed)],
    ["Resets", resets ? moment(resets, zone) : "not by itself"],
  ];
}

/** @param {any} limit @returns {[string, string][]} */
function limitFigures({ scope, kind, limit, remaining }) {
  return [
    ["Limit", `${LIMITS[kind]?.(limit) ?? `${count(limit)} (${kind})`}, on ${scopeWords(scope)}`],
    ...(remaining == null ? [] : [pair("Left now", `${count(Math.max(0, remaining))} ${LEFT[kind] ?? ""}`.trim())]),
  ];
}

/** @param {string} name @param {string} words @returns {[string, string]} */
const pair = (name, words) => [name, words];

/** The line for .env that a message names. @param {string} message */
export function envLine(message) {
  const name = message.match(/\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b/)?.[0];
  return name ? `${name}=…` : undefined;
}

/** Whether anything was billed, in words. @param {{ cost_nano_usd?: number | null, tokens?: any } | null} record @param {(usd: number) => string} cost */
export function billing(record, cost) {
  if (!record) return "";
  if (record.cost_nano_usd) return `${cost(record.cost_nano_usd / 1e9)} was billed.`;
  if (record.cost_nano_usd === 0 || !record.tokens?.total) return "Nothing was billed.";
  return "What was billed is not known: the model has no price here.";
}
