// Conversations in this browser: IndexedDB, with a small record for the list and a large one for the text.
import { me } from "./api.js";
import { signal } from "./core.js";

/** What the list needs to know of a conversation.
 * @typedef {{ id: string, title: string, updatedAt: number, costNano: number | null, unpriced: number, requests: number }} Meta
 * @typedef {{ meta: Meta, content: any }} Kept */

/** Newest first. @type {import("./core.js").Signal<Meta[]>} */
export const chats = signal([]);

const OWNER = me.peek()?.key_id ?? "";
/** What is kept here belongs to the key it was written with: several people may sign in from one browser. @param {string} name */
export const owned = (name) => (OWNER ? `${name}@${OWNER}` : name);
const NAME = owned("gateway");
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(owned("gateway-chats")) : null;
channel?.addEventListener("message", () => refreshChats());

/** @type {Promise<IDBDatabase> | undefined} */
let opening;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("meta", { keyPath: "id" });
      request.result.createObjectStore("content", { keyPath: "id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

/** @param {IDBTransactionMode} mode @param {(meta: IDBObjectStore, content: IDBObjectStore) => IDBRequest | void} work @returns {Promise<any>} */
async function within(mode, work) {
  const transaction = (await database()).transaction(["meta", "content"], mode);
  const request = work(transaction.objectStore("meta"), transaction.objectStore("content"));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request?.result);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

export async function refreshChats() {
  try {
    /** @type {Meta[]} */
    const list = await within("readonly", (meta) => meta.getAll());
    chats.value = list.sort((a, b) => b.updatedAt - a.updatedAt);
  } catch (error) {
    console.info("Chats are not kept: this browser gives no storage.", error);
  }
}

/** The content of a conversation, or undefined. @param {string} id */
export const loadChat = (id) => within("readonly", (_meta, content) => content.get(id)).catch(() => undefined);

/** @param {Meta} meta @param {any} content its `id` is the meta's */
export async function saveChat(meta, content) {
  chats.value = [meta, ...chats.value.filter((chat) => chat.id !== meta.id)].sort((a, b) => b.updatedAt - a.updatedAt);
  try {
    await within("readwrite", (metas, contents) => {
      metas.put(meta);
      contents.put(content);
    });
    channel?.postMessage("changed");
  } catch (error) {
    console.info("This chat could not be kept.", error);
  }
}

/** What a page heard before it went away: the database may not be written in time, this is.
 * @param {string} answerId @param {{ text: string, requestId: string | null }} heard */
export function leaveNote(answerId, heard) {
  try {
    localStorage.setItem(`heard:${answerId}`, JSON.stringify(heard));
  } catch (error) {
    console.info("The last words could not be kept.", error);
  }
}

/** The note for this answer, once. @param {string} answerId @returns {{ text: string, requestId: string | null } | null} */
export function takeNote(answerId) {
  const note = localStorage.getItem(`heard:${answerId}`);
  localStorage.removeItem(`heard:${answerId}`);
  return note && JSON.parse(note);
}

/** Remove a conversation and give what `restoreChat` needs to bring it back. @param {string} id @returns {Promise<Kept>} */
export async function removeChat(id) {
  const meta = /** @type {Meta} */ (chats.value.find((chat) => chat.id === id));
  const content = await loadChat(id);
  chats.value = chats.value.filter((chat) => chat.id !== id);
  await within("readwrite", (metas, contents) => {
    metas.delete(id);
    contents.delete(id);
  });
  channel?.postMessage("changed");
  return { meta, content };
}

/** @param {Kept} kept */
export const restoreChat = ({ meta, content }) => saveChat(meta, content);
