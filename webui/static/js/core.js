// The one door to the UI library, and the few pieces that every page draws.
import { html, render } from "../vendor/preact-htm-signals.js";

export * from "../vendor/preact-htm-signals.js";

/** @param {{ name: string }} props */
export const Icon = ({ name }) => html`<svg class="icon" aria-hidden="true"><use href=${`#i-${name}`}></use></svg>`;

/** The element with this id; every page's shell has it. @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Say something to screen readers, once. @param {string} text @param {"announce" | "announce-connection"} [region] */
export function announce(text, region = "announce") {
  const status = byId(region);
  status.textContent = "";
  requestAnimationFrame(() => {
    status.textContent = text;
  });
}

/** @param {string} text */
export async function copyText(text) {
  // Over plain HTTP from another machine there is no clipboard object.
  const isCopied = await navigator.clipboard?.writeText(text).then(
    () => true,
    () => false,
  );
  announce(isCopied || copyByCommand(text) ? "Copied" : "The browser does not allow copying");
}

/** @param {string} text */
function copyByCommand(text) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const area = document.createElement("textarea");
  area.className = "sr";
  area.value = text;
  (focused?.closest("dialog, [popover]") ?? document.body).append(area);
  area.focus();
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return isCopied;
}

/** A ghost button that copies and shows a tick for a moment. @param {{ text: () => string, label: string, words?: string }} props */
export function CopyButton({ text, label, words }) {
  /** @param {Event} event */
  const copy = async (event) => {
    const use = /** @type {HTMLElement} */ (event.currentTarget).querySelector("use");
    await copyText(text());
    use?.setAttribute("href", "#i-tick");
    setTimeout(() => use?.setAttribute("href", "#i-copy"), 1500);
  };
  return html`<button class=${`btn ghost ${words ? "" : "icon-only"}`} type="button" aria-label=${label} onClick=${copy}>
    <${Icon} name="copy" />${words}
  </button>`;
}

/** A modal dialog with a heading and a close button; the place that had the focus gets it back. A sticky one has no way out but its own.
 * @param {string} title @param {(close: () => void) => any} content @param {{ isSticky?: boolean }} [options] */
export function openDialog(title, content, { isSticky = false } = {}) {
  const dialog = document.createElement("dialog");
  const close = () => dialog.close();
  const titleId = `dialog-${Math.random().toString(36).slice(2)}`;
  dialog.setAttribute("aria-labelledby", titleId);
  dialog.addEventListener("close", () => {
    render(null, dialog);
    dialog.remove();
  });
  // A cancel event cannot be prevented twice in a row; the key can.
  dialog.addEventListener(isSticky ? "keydown" : "click", (/** @type {any} */ event) => {
    if (event.key === "Escape") event.preventDefault();
    else if (event.target === dialog && !isSticky) close();
  });
  render(
    html`<div class="panel">
      <header><h2 id=${titleId}>${title}</h2>
        ${!isSticky && html`<button class="btn ghost icon-only" type="button" aria-label="Close" onClick=${close}><${Icon} name="close" /></button>`}
      </header>
      ${content(close)}
    </div>`,
    dialog,
  );
  byId("layers").append(dialog);
  dialog.showModal();
  return close;
}

/** A message at the bottom with one action, for some seconds. @param {string} text
 * @param {{ action?: string, onAction?: () => void, forMs?: number }} [options] */
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

/** Beside its button, inside the window. @param {HTMLElement} popover @param {HTMLElement} button */
export function place(popover, button) {
  const box = button.getBoundingClientRect();
  const size = popover.getBoundingClientRect();
  const left = Math.max(8, Math.min(box.left, innerWidth - size.width - 8));
  const below = box.bottom + 6;
  const top = below + size.height <= innerHeight - 8 || below < innerHeight / 2 ? below : Math.max(8, box.top - size.height - 6);
  popover.style.left = `${left}px`;
  popover.style.top = `${top}px`;
}

/** Once a layer has closed: focus to its button, unless it has gone elsewhere meanwhile.
 * @param {HTMLElement} popover @param {HTMLElement | null} button */
export function giveFocusBack(popover, button) {
  const now = document.activeElement;
  if (!now || now === document.body || popover.contains(now)) button?.focus();
}
