// Calls to the console's own origin, which passes them on to the API service: whole answers and streams; and who makes them.
import { computed, signal } from "./core.js";

/** Whoever is signed in, as `GET /api/me` says it.
 * @typedef {{ key_id: string, role: "admin" | "viewer" | "member", name: string, user_id: string | null, application_id: string | null,
 *   store_content: boolean }} Me */

/** `null`: nobody needs to sign in here. The shell brings it, so that it is known at once.
 * @type {import("./core.js").Signal<Me | null>} */
export const me = signal(JSON.parse(globalThis.document?.documentElement.dataset.me ?? "null"));
export const mayCall = computed(() => me.value?.role !== "viewer");

/** Ask anew: rights change, and a key that opens nothing any more leads to the sign-in page. */
export async function askWhoIAm() {
  if (!me.value) return;
  const answer = await getJson("/api/me").catch(() => null);
  if (answer?.key_id) me.value = answer;
}

/** What went wrong, in the API's own terms; `status` 0: no answer at all. */
export class ApiError extends Error {
  /** `admitted`: the API took the request on, so it has a record of it; `param`: the field that is wrong; `details`: what a program may read.
   * @param {{ message: string, status: number, code: string, param?: string | null, requestId?: string | null, retryAfter?: number | null, admitted?: boolean, details?: any }} fields */
  constructor({ message, status, code, param = null, requestId = null, retryAfter = null, admitted = false, details = null }) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = param;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
    this.admitted = admitted;
    this.details = details;
  }
}

const TIMEOUT_MS = 10_000;

let leaving = false;

/** GET as JSON; throws `ApiError`, or an AbortError if `signal` was used. While the page goes to the sign-in page it does not
 * settle: nothing on a page that is left shows an error.
 * @param {string} path @param {{ signal?: AbortSignal, timeoutMs?: number }} [options] @returns {Promise<any>} */
export async function getJson(path, { signal, timeoutMs = TIMEOUT_MS } = {}) {
  const limit = AbortSignal.timeout(timeoutMs);
  const options = { signal: signal ? AbortSignal.any([signal, limit]) : limit };
  const reply = await send(path, options, signal, timeoutMs).catch((error) => (leaving ? new Promise(() => {}) : Promise.reject(error)));
  return reply.json();
}

/** POST JSON and give the reply, whose body may be a stream; throws `ApiError`.
 * @param {string} path @param {unknown} body @param {AbortSignal} [signal] */
export const post = (path, body, signal) => send(path, writing("POST", body, signal), signal);

/** POST, PATCH, PUT or DELETE and give what the API answers, or null where it answers nothing; throws `ApiError`.
 * @param {"POST" | "PATCH" | "PUT" | "DELETE"} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
export async function change(method, path, body) {
  const reply = await send(path, writing(method, body, AbortSignal.timeout(TIMEOUT_MS)));
  const text = await reply.text();
  return text ? JSON.parse(text) : null;
}

/** @param {string} method @param {unknown} body @param {AbortSignal} [signal] @returns {RequestInit} */
function writing(method, body, signal) {
  const headers = { "x-webui": "1", ...(body !== undefined && { "content-type": "application/json" }) };
  return { method, body: body === undefined ? undefined : JSON.stringify(body), headers, signal };
}

/** @param {string} path @param {RequestInit} options @param {AbortSignal} [callers] @param {number} [timeoutMs] */
async function send(path, options, callers, timeoutMs = TIMEOUT_MS) {
  let reply;
  try {
    reply = await fetch(path, options);
  } catch (error) {
    if (callers?.aborted) throw error;
    const slow = error instanceof DOMException && error.name === "TimeoutError";
    throw new ApiError({
      status: 0,
      code: slow ? "no_answer_in_time" : "console_unreachable",
      message: slow
        ? `No answer within ${timeoutMs / 1000} s. Try again; if it stays so, look at the API service's log.`
        : "The console itself cannot be reached. Start it with: cd webui && python app.py",
    });
  }
  const version = reply.headers.get("x-webui-assets");
  if (version && version !== document.documentElement.dataset.assets) dispatchEvent(new Event("outdated"));
  if (reply.ok) return reply;
  throw await errorOf(reply);
}

/** To the sign-in page, once: several calls may learn at the same time that nobody is signed in. */
function leave() {
  if (!leaving) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  leaving = true;
}

/** @param {Response} reply */
async function errorOf(reply) {
  const text = await reply.text().catch(() => "");
  const error = readError(text);
  if (error.code === "signed_out") leave();
  return new ApiError({
    status: reply.status,
    code: error.code,
    message: error.message,
    param: error.param,
    requestId: reply.headers.get("x-request-id") ?? error.requestId,
    retryAfter: retryAfter(reply.headers.get("retry-after")),
    admitted: reply.headers.has("x-gateway-attempts"),
    details: error.details,
  });
}

/** The fields of an error body, whatever it is. @param {string} text */
export function readError(text) {
  try {
    const { error } = JSON.parse(text);
    if (error && typeof error.message === "string") {
      return {
        code: String(error.code ?? error.type ?? "error"),
        message: error.message,
        param: error.param ?? null,
        requestId: error.request_id ?? null,
        details: error.details ?? null,
      };
    }
  } catch {}
  return { code: "error", message: text.slice(0, 300) || "The answer had no text.", param: null, requestId: null, details: null };
}

/** Seconds to wait, from a number or a date; null if there is none. @param {string | null} value @param {number} [nowMs] */
export function retryAfter(value, nowMs = Date.now()) {
  if (!value) return null;
  if (/^\d+(\.\d+)?$/.test(value.trim())) return Math.ceil(Number(value));
  const at = Date.parse(value);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - nowMs) / 1000));
}

// ------------------------------------------------------------- streams of events

/** Splits text into the data of events; feed it whatever arrives. */
export class EventParser {
  #rest = "";
  /** @type {string[]} */
  #data = [];

  /** @param {string} text @returns {string[]} the data of each event that is now complete */
  push(text) {
    const source = this.#rest + text;
    // A CR at the very end may be half of a CRLF.
    const end = source.endsWith("\r") ? source.length - 1 : source.length;
    const lines = source.slice(0, end).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() + source.slice(end);
    const events = [];
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length) events.push(this.#data.join("\n"));
        this.#data = [];
      } else if (line.startsWith("data:")) {
        this.#data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
    return events;
  }
}

/** The events of `/api/chat` as objects. Stops early, without an error, where the body is cut: the caller misses `done`.
 * @param {ReadableStream<Uint8Array>} body @returns {AsyncGenerator<any>} */
export async function* chatEvents(body) {
  const parser = new EventParser();
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const data of parser.push(value)) yield JSON.parse(data);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
