// Menus: what can be done with one thing.
import { byId, giveFocusBack, html, Icon, place, render } from "./core.js";

/** What can be chosen in a menu. @typedef {{ words: string, icon: string, act: () => unknown, isOff?: boolean, isDanger?: boolean }} Item */

/** A menu below a button, until something is chosen or it loses the focus. @param {HTMLElement} button @param {string} label @param {Item[]} items */
export function showMenu(button, label, items) {
  const panel = document.createElement("div");
  panel.className = "popover menu";
  panel.popover = "auto";
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-label", label);
  panel.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "closed") return;
    giveFocusBack(panel, button);
    panel.remove();
  });
  /** @param {Item} item */
  const run = (item) => () => {
    panel.hidePopover();
    item.act();
  };
  render(
    items.map(
      (item) =>
        html`<button class=${`btn ghost ${item.isDanger ? "danger" : ""}`} type="button" disabled=${item.isOff} onClick=${run(item)}><${Icon} name=${item.icon} />${item.words}</button>`,
    ),
    panel,
  );
  byId("layers").append(panel);
  panel.showPopover();
  place(panel, button);
  panel.querySelector("button")?.focus();
}
