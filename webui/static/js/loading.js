// Cards that load alone: each with its own skeleton, error and Retry.
import { ApiError, getJson } from "./api.js";
import { html, Icon, useEffect, useId, useState } from "./core.js";
import { duration } from "./format.js";

/** @typedef {{ path: string | null, data: any, error: ApiError | null, tookS: number, isLoading: boolean, retry: () => void }} Loaded */

/** GET `path`, again whenever it changes; what was there stays until the new answer is. A null path is not asked for.
 * @param {string | null} path @param {number} [tick] ask again when it changes @returns {Loaded} */
export function useLoaded(path, tick = 0) {
  const [again, setAgain] = useState(0);
  const [state, setState] = useState({
    path: /** @type {string | null} */ (null),
    data: /** @type {any} */ (null),
    error: /** @type {ApiError | null} */ (null),
    tookS: 0,
    isLoading: true,
  });
  useEffect(() => {
    if (path === null) return;
    const stop = new AbortController();
    const began = performance.now();
    setState((old) => ({ ...old, isLoading: true }));
    /** @param {{ data?: any, error: ApiError | null }} outcome */
    const end = (outcome) => {
      if (stop.signal.aborted) return;
      setState((old) => ({
        path,
        data: outcome.data ?? (old.path === path ? old.data : null),
        error: outcome.error,
        tookS: (performance.now() - began) / 1000,
        isLoading: false,
      }));
    };
    getJson(path, { signal: stop.signal }).then(
      (data) => end({ data, error: null }),
      (error) => end({ error: error instanceof ApiError ? error : new ApiError({ status: 0, code: "error", message: String(error) }) }),
    );
    return () => stop.abort();
  }, [path, tick, again]);
  return { ...state, retry: () => setAgain((count) => count + 1) };
}

/** A card around what was loaded. `children` draws the data; `tools` stand beside the heading.
 * @param {{ title: string, name: string, loaded: Loaded, span?: string, height?: string, tools?: any, note?: any, children: (data: any) => any }} props */
export function Card({ title, name, loaded, span = "", height = "tall", tools, note, children }) {
  const id = useId();
  const { data, error, isLoading } = loaded;
  return html`<section class=${`card ${span}`} aria-labelledby=${id} aria-busy=${String(isLoading)} data-testid=${`card-${name}`}>
    <header><h2 id=${id}>${title}</h2>${note && html`<span class="caption">${note}</span>`}${tools && html`<div class="tools">${tools}</div>`}</header>
    ${error && html`<${Failure} loaded=${loaded} />`}
    ${data && !error ? html`<div class=${`card-body ${isLoading ? "is-stale" : ""}`}>${children(data)}</div>` : !error && html`<${Skeleton} height=${height} />`}
  </section>`;
}

/** @param {{ loaded: Loaded }} props */
export function Failure({ loaded: { error, tookS, retry, isLoading } }) {
  return html`<div class="banner err" role="alert">
    <span>${error?.message} <span class="quiet">After ${duration(tookS)}${error?.requestId ? `, request ${error.requestId}` : ""}.</span></span>
    <button class="btn ghost push" type="button" disabled=${isLoading} onClick=${retry}><${Icon} name="retry" />Retry</button>
  </div>`;
}

/** @param {{ height: string }} props */
export function Skeleton({ height }) {
  return html`<div class=${`skeleton ${height}`}><span class="sr">Loading</span></div>`;
}
