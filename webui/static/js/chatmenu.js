// What can be done with the open chat as a whole.
import { mayCall } from "./api.js";
import { toast } from "./core.js";
import { showMenu } from "./menu.js";
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

/** @returns {import("./menu.js").Item[]} */
function items() {
  const meta = chats.value.find(({ id }) => id === chatId.value);
  const isEmpty = turns.value.length === 0;
  return [
    { words: "Rename", icon: "edit", act: () => meta && askTitle(meta), isOff: !meta },
    { words: "Export as Markdown", icon: "down", act: exportMarkdown, isOff: isEmpty },
    { words: "Export as JSON", icon: "down", act: exportJson, isOff: isEmpty },
    { words: "Import a chat", icon: "plus", act: importChat, isOff: !mayCall.value },
    { words: "Delete", icon: "trash", act: () => meta && deleteChat(meta), isOff: !meta },
  ];
}

/** @param {HTMLElement} button */
export const showChatMenu = (button) => showMenu(button, "This chat", items());
