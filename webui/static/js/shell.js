// What every page has: theme, drawer, connection, help, toasts.
import { announce, byId, html, render } from "./core.js";

/** A message at the bottom with one action, for some seconds. @param {string} text @param {{ action?: string, onAction?: () => void, forMs?: number }} [options] */
export function toast(text, { action, onAction, forMs = 8000 } = {}) {
  const place = document.createElement("div");
  byId("toasts").append(place);
  const close = () => place.remove();
  const act = () => {
    close();
    onAction?.();
  };
  render(
    html`<div class="toast"><span>${text}</span>${action && html`<button class="btn ghost" type="button" onClick=${act}>${action}</button>`}</div>`,
    place,
  );
  announce(text);
  setTimeout(close, forMs);
}

/** Start the shell; each page's module calls it once. */
export function startShell() {}
