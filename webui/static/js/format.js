// Figures as people read them. Unknown is never zero: null gives "not priced" or "–".

const LOCALE = "en-US";
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const compact1 = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const DASH = "–";
export const NOT_PRICED = "not priced";

/** 1,204 @param {number | null | undefined} value */
export const count = (value) => (value == null ? DASH : whole.format(value));

/** 96.4 M, 1,204 @param {number | null | undefined} value */
export function compact(value) {
  if (value == null) return DASH;
  const size = Math.abs(value);
  if (size < 10_000) return whole.format(value);
  if (size < 999_950) return `${compact1.format(value / 1e3)} k`;
  if (size < 999_950_000) return `${compact1.format(value / 1e6)} M`;
  return `${compact1.format(value / 1e9)} G`;
}

/** $412.08; below a cent four significant decimals: $0.004082 @param {number | null | undefined} usd */
export function cost(usd) {
  if (usd == null) return NOT_PRICED;
  if (usd === 0) return "$0.00";
  const size = Math.abs(usd);
  const sign = usd < 0 ? "-" : "";
  if (size >= 100) return `${sign}$${new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(size)}`;
  if (size >= 0.01) return `${sign}$${size.toFixed(size >= 1 ? 2 : 4)}`;
  const places = Math.min(12, 3 - Math.floor(Math.log10(size)));
  return `${sign}$${size.toFixed(places).replace(/0+$/, "")}`;
}

/** The exact sum, from nano-USD: $0.004082000 → $0.004082 @param {number | null | undefined} nano */
export function exactCost(nano) {
  if (nano == null) return NOT_PRICED;
  const sign = nano < 0 ? "-" : "";
  const digits = String(Math.abs(nano)).padStart(10, "0");
  const fraction = digits.slice(-9).replace(/0+$/, "").padEnd(2, "0");
  return `${sign}$${digits.slice(0, -9)}.${fraction}`;
}

/** A sum that leaves requests without a price out is a lower bound; where it has nothing else, it is not known.
 * @param {number | null | undefined} sum @param {number} unpriced requests left out @param {string} words the sum in words */
export function atLeast(sum, unpriced, words) {
  if (sum == null) return NOT_PRICED;
  if (!unpriced) return words;
  return sum ? `≥ ${words}` : NOT_PRICED;
}

/** "3 requests not priced" @param {number} unpriced */
export const unpricedWords = (unpriced) => `${count(unpriced)} ${unpriced === 1 ? "request" : "requests"} ${NOT_PRICED}`;

/** What an HTTP status means here, for people who do not know the numbers. @type {Record<number, string>} */
const STATUSES = {
  400: "refused as invalid",
  401: "key refused",
  402: "over budget",
  403: "not allowed",
  404: "unknown model",
  408: "sent too slowly",
  409: "repeated",
  413: "too large",
  422: "repeated, but changed",
  429: "rate limited",
  499: "stopped by the client",
  500: "gateway fault",
  502: "provider failed",
  503: "not available",
  504: "took too long",
  529: "provider overloaded",
};

/** "rate limited", or "" for a status that says nothing more. @param {number | string | null | undefined} status */
export const statusWords = (status) => STATUSES[Number(status)] ?? "";

/** 312 ms, 1.84 s, 12.4 s, 2 min 5 s @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds == null) return DASH;
  if (seconds < 0.0005) return "0 ms";
  if (seconds < 0.0095) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 99.95) return `${seconds.toFixed(1)} s`;
  const rounded = Math.round(seconds);
  return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
}

/** $2.50, $0.075 a million tokens @param {number | null | undefined} usd */
export function rate(usd) {
  if (usd == null) return NOT_PRICED;
  if (usd === 0) return "free";
  return `$${usd >= 0.1 ? usd.toFixed(2) : usd.toPrecision(2).replace(/0+$/, "")}`;
}

/** 44%, 0.4% @param {number | null | undefined} part of 1 */
export function percent(part) {
  if (part == null || !Number.isFinite(part)) return DASH;
  const value = part * 100;
  return `${value !== 0 && Math.abs(value) < 10 ? value.toFixed(1) : Math.round(value)}%`;
}

/** 128 k, 1 M tokens of context @param {number | null | undefined} tokens */
export function contextSize(tokens) {
  if (tokens == null) return DASH;
  if (tokens >= 1e6) return `${Number((tokens / 1e6).toFixed(1))} M`;
  return tokens >= 1000 ? `${Math.round(tokens / 1000)} k` : String(tokens);
}

/** Tokens a second after the first one; null where it cannot be told.
 * @param {number | null | undefined} completion @param {number | null | undefined} total @param {number | null | undefined} first */
export function tokensPerSecond(completion, total, first) {
  if (!completion || total == null || first == null || total - first < 0.02) return null;
  return completion / (total - first);
}

/** The first characters of a request id, enough to tell it from its neighbours. UUIDv7 begins with the time, so its tail is shown.
 * @param {string} id */
export const shortId = (id) => (id.length > 12 ? `…${id.slice(-8)}` : id);
