// What runs now: the service's events, as long as somebody looks.
import { label } from "./chart.js";
import { view } from "./controls.js";
import { html, signal, useEffect, useState } from "./core.js";
import { count, duration, shortId } from "./format.js";

/** @typedef {{ request_id: string, since: string, model: string, provider: string, application_id: string, user_id: string, key_id: string, stream: boolean, attempt: number }} Running
 * @typedef {{ at: string, changes: number, running_requests: number, running: Running[] }} Status */

const MOST_SHOWN = 5;
const TICK_MS = 500;

const status = signal(/** @type {Status | null} */ (null));
let skewMs = 0;

/** Listen until the function that it gives is called; `onChange` when there is something new to read, `onLost` when there are no events.
 * @param {() => void} onChange @param {() => void} onLost */
export function follow(onChange, onLost) {
  const source = new EventSource("/api/events");
  let seen = -1;
  source.addEventListener("message", ({ data }) => {
    const told = /** @type {Status} */ (JSON.parse(data));
    skewMs = Date.now() - Date.parse(told.at);
    status.value = told;
    if (told.changes !== seen) onChange();
    seen = told.changes;
  });
  source.addEventListener("error", () => {
    status.value = null;
    onLost();
  });
  return () => {
    source.close();
    status.value = null;
  };
}

/** @param {Running} one */
const isInView = (one) =>
  Object.entries(view.value.filters).every(([dimension, values]) => {
    const own = /** @type {Record<string, any>} */ (one)[dimension];
    return own === undefined ? false : values.includes(own);
  });

/** The requests in flight that the view is about. */
export function InFlight() {
  const [, tick] = useState(0);
  const running = status.value?.running.filter(isInView) ?? [];
  useEffect(() => {
    if (!running.length) return;
    const timer = setInterval(() => tick((n) => n + 1), TICK_MS);
    return () => clearInterval(timer);
  }, [running.length > 0]);
  if (!running.length) return null;
  const nowMs = Date.now() - skewMs;
  const all = Object.keys(view.value.filters).length ? running.length : (status.value?.running_requests ?? 0);
  return html`<div class="in-flight" data-testid="in-flight"><p class="caption"><span class="live-dot on"></span>${count(all)} ${all === 1 ? "request is" : "requests are"} answered now</p>
    <ul aria-label="Requests in flight">${running.slice(0, MOST_SHOWN).map(
      (
        one,
      ) => html`<li key=${one.request_id}><span class="model">${one.model}</span> <span class="quiet">${label(one.application_id)} · ${label(one.user_id)}${one.attempt > 1 ? ` · attempt ${one.attempt}` : ""}</span>
      <span class="num time">${duration(Math.max(0, nowMs - Date.parse(one.since)) / 1000)}</span> <span class="id quiet" title=${one.request_id}>${shortId(one.request_id)}</span></li>`,
    )}</ul></div>`;
}
