// Every error in plain words: what happened, where, and what to do.

/** @typedef {"retry" | "model" | "new" | "health"} Action
 * @typedef {{ status: number, code: string, message: string, requestId?: string | null, retryAfter?: number | null, admitted?: boolean }} Problem
 * @typedef {{ title: string, advice: string, line?: string, actions: Action[] }} Explanation */

/** By code of the API (api.md), or of this console. @type {Record<string, Explanation>} */
const BY_CODE = {
  invalid_request: { title: "The API refused this request.", advice: "Change what it names, then send again.", actions: ["retry"] },
  unauthenticated: {
    title: "The API asks for a key that this console does not have.",
    advice: "Put the API service’s key into .env and start the console again:",
    line: "GATEWAY_ADMIN_KEY=…",
    actions: [],
  },
  signed_out: { title: "You are signed out.", advice: "Sign in again; what you typed is kept.", actions: [] },
  budget_exceeded: {
    title: "A budget is used up.",
    advice: "Wait until it resets, or ask an administrator to raise it.",
    actions: ["model"],
  },
  model_price_unknown: {
    title: "This model has no price, and a hard budget applies.",
    advice: "Choose a model with a price, or ask an administrator to set one.",
    actions: ["model"],
  },
  not_allowed: {
    title: "This is not allowed with this key.",
    advice: "Choose another model, or ask an administrator.",
    actions: ["model"],
  },
  unknown_model: { title: "There is no such model.", advice: "Choose one from the list.", actions: ["model"] },
  not_found: { title: "There is no such thing.", advice: "Look at the name, then try again.", actions: ["retry"] },
  too_large: { title: "This conversation is too long to send.", advice: "Shorten the message, or begin a new chat.", actions: ["new"] },
  rate_limited: { title: "Too many requests for now.", advice: "Wait, then try again, or use another model.", actions: ["retry", "model"] },
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

/** @param {Problem} problem @returns {Explanation} */
export function explain({ status, code, message }) {
  const known = BY_CODE[code] ?? BY_STATUS.find(([matches]) => matches(status))?.[1];
  const found = /** @type {Explanation} */ (known ?? UNKNOWN);
  if (code === "provider_not_configured") return { ...found, line: envLine(message) };
  return /refused the key/.test(message) ? { ...REFUSED_KEY, line: envLine(message) } : found;
}

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
