// What can be done with the open chat as a whole.
import { mayCall } from "./api.js";
import { byId, html, Icon, render, toast } from "./core.js";
import { giveFocusBack, place } from "./picker.js";
import { askTitle, deleteChat } from "./shell.js";
import { chats } from "./store.js";
import { chatId, nodes, open, settingsNow, title, turns } from "./talk.js";
import { fileName, jsonOf, markdownOf, save, takeUp } from "./transfer.js";

/** The open chat as it is kept. */
const chatNow = () => ({ id: chatId.value, title: title.value, settings: settingsNow(), nodes: nodes.value });

const exportMarkdown = () => save(fileName(title.value, "md"), markdownOf(chatNow()), "text/markdown");

async function exportJson() {
  save(fileName(title.value, "json"), await jsonOf(chatNow()), "application/json");
}

/** Ask for a file and open what is in it. */
function importChat() {
  const chooser = document.createElement("input");
  chooser.type = "file";
  chooser.accept = "application/json,.json";
  chooser.addEventListener("change", async () => {
    const [file] = chooser.files ?? [];
    if (!file) return;
    try {
      const id = await takeUp(await file.text());
      history.pushState(null, "", `/c/${id}`);
      await open(id);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error));
    }
  });
  chooser.click();
}

/** @returns {[string, string, () => unknown, boolean][]} words, icon, act, whether it is off */
function items() {
  const meta = chats.value.find(({ id }) => id === chatId.value);
  const isEmpty = turns.value.length === 0;
  return [
    ["Rename", "edit", () => meta && askTitle(meta), !meta],
    ["Export as Markdown", "down", exportMarkdown, isEmpty],
    ["Export as JSON", "down", exportJson, isEmpty],
    ["Import a chat", "plus", importChat, !mayCall.value],
    ["Delete", "trash", () => meta && deleteChat(meta), !meta],
  ];
}

/** @param {HTMLElement} button */
export function showMenu(button) {
  const panel = document.createElement("div");
  panel.className = "popover menu";
  panel.popover = "auto";
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-label", "This chat");
  panel.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "closed") return;
    giveFocusBack(panel, button);
    panel.remove();
  });
  /** @param {() => unknown} act */
  const item = (act) => () => {
    panel.hidePopover();
    act();
  };
  render(
    items().map(
      ([words, icon, act, isOff]) =>
        html`<button class="btn ghost" type="button" disabled=${isOff} onClick=${item(act)}><${Icon} name=${icon} />${words}</button>`,
    ),
    panel,
  );
  byId("layers").append(panel);
  panel.showPopover();
  place(panel, button);
  panel.querySelector("button")?.focus();
}
