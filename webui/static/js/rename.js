// The dialog that gives a chat another title.
import { html, openDialog, toast } from "./core.js";
import { renameChat } from "./store.js";

/** @param {import("./store.js").Meta} chat */
export function showRename(chat) {
  openDialog("Rename this chat", (close) => {
    /** @param {any} event */
    const rename = async (event) => {
      event.preventDefault();
      const title = new FormData(event.currentTarget).get("title")?.toString().trim();
      close();
      if (!title || title === chat.title) return;
      dispatchEvent(new CustomEvent("chat-renamed", { detail: { id: chat.id, title } }));
      await renameChat(chat.id, title).catch((error) => toast(`It keeps its old name: ${error.message}`));
    };
    return html`<form class="stack" onSubmit=${rename}>
      <label for="chat-title">Title</label>
      <input class="field" id="chat-title" name="title" autofocus maxlength="200" value=${chat.title} autocomplete="off" />
      <div class="row"><button class="btn primary push" type="submit">Rename</button></div>
    </form>`;
  });
}
