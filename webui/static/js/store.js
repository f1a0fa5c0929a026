// Chats: kept by the API service; in this browser what it does not have yet, or may not keep.
import { ApiError, change, getJson, me } from "./api.js";
import { signal } from "./core.js";

/** What the list needs to know of a chat; costs are of all its answers, the ones not shown as well.
 * @typedef {{ id: string, title: string, updatedAt: number, costNano: number | null, unpriced: number, requests: number, snippet?: string | null }} Meta
 * @typedef {{ model?: string | null, models?: string[], system?: string, parameters?: Record<string, string>, leaf?: string | null }} Settings
 * @typedef {{ id: string, title: string, settings: Settings, nodes: import("./thread.js").Node[] }} Chat
 * @typedef {Chat & { updatedAt: number, pending: string[] }} Kept `pending`: nodes that the service does not have yet */

/** Newest first. @type {import("./core.js").Signal<Meta[]>} */
export const chats = signal([]);
/** Where chats are kept: the service says so with the first list. */
export const keptIn = signal(/** @type {"unknown" | "service" | "browser"} */ ("unknown"));
/** Where the list goes on. @type {import("./core.js").Signal<string | null>} */
export const nextChats = signal(null);

const OWNER = me.peek()?.key_id ?? "";
/** What is kept here belongs to the key it was written with: several people may sign in from one browser. @param {string} name */
export const owned = (name) => (OWNER ? `${name}@${OWNER}` : name);
const NAME = owned("gateway-chats");
const PATH = "/api/conversations";
const MOST_HERE = 50;
const channel = globalThis.document && "BroadcastChannel" in globalThis ? new BroadcastChannel(NAME) : null;
channel?.addEventListener("message", () => refreshChats());

// ------------------------------------------------------------------ this browser

/** @type {Promise<IDBDatabase> | undefined} */
let opening;

function database() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("chats", { keyPath: "id" });
      request.result.createObjectStore("files", { keyPath: "id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

/** @param {"chats" | "files"} name @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest} work @returns {Promise<any>} */
async function within(name, mode, work) {
  try {
    const transaction = (await database()).transaction(name, mode);
    const request = work(transaction.objectStore(name));
    return await new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  } catch (error) {
    console.info("This browser keeps nothing:", error);
    return undefined;
  }
}

/** @returns {Promise<Kept[]>} */
const keptHere = async () => (await within("chats", "readonly", (store) => store.getAll())) ?? [];
/** @param {string} id @returns {Promise<Kept | undefined>} */
const findHere = (id) => within("chats", "readonly", (store) => store.get(id));
/** @param {Kept} chat */
const keepHere = (chat) => within("chats", "readwrite", (store) => store.put(chat));
/** @param {string} id */
const dropHere = (id) => within("chats", "readwrite", (store) => store.delete(id));

/** Leave nothing of this person's chats in the browser: on signing out. */
export function forgetHere() {
  indexedDB.deleteDatabase(NAME);
}

// ------------------------------------------------------------------------ the list

/** @param {Kept} chat @returns {Meta} */
function metaOf({ id, title, updatedAt, nodes }) {
  const records = nodes.flatMap((node) => (node.role === "assistant" && node.record ? [node.record] : []));
  const priced = records.filter((record) => record.cost_nano_usd != null);
  const costNano = priced.length ? priced.reduce((sum, record) => sum + (record.cost_nano_usd ?? 0), 0) : null;
  return { id, title, updatedAt, costNano, requests: records.length, unpriced: records.length - priced.length };
}

/** @param {any} row @returns {Meta} */
const listedMeta = (row) => ({
  id: row.id,
  title: row.title,
  updatedAt: Date.parse(row.updated_at),
  costNano: row.cost_nano_usd,
  unpriced: row.unpriced_requests,
  requests: row.requests,
  snippet: row.snippet,
});

/** Chats whose deletion can still be undone. @type {Set<string>} */
const leaving = new Set();

/** @param {Meta[]} list */
const inOrder = (list) => list.filter(({ id }) => !leaving.has(id)).sort((a, b) => b.updatedAt - a.updatedAt);

/** @param {string} query */
async function page(query) {
  const { conversations, next_cursor, store_content } = await getJson(`${PATH}?limit=${MOST_HERE}${query}`);
  keptIn.value = store_content ? "service" : "browser";
  return { list: /** @type {Meta[]} */ (conversations.map(listedMeta)), next: /** @type {string | null} */ (next_cursor) };
}

export async function refreshChats() {
  const here = await keptHere();
  const found = await page("").catch(() => null);
  if (!found) {
    if (!chats.value.length) chats.value = inOrder(here.map(metaOf));
    return;
  }
  const local = keptIn.value === "browser" ? here : here.filter(({ pending }) => pending.length);
  const onlyHere = local.filter(({ id }) => !found.list.some((one) => one.id === id)).map(metaOf);
  const older = nextChats.value ? chats.value.filter(({ updatedAt }) => updatedAt < (found.list.at(-1)?.updatedAt ?? 0)) : [];
  const known = new Set([...found.list, ...onlyHere].map(({ id }) => id));
  chats.value = inOrder([...found.list, ...onlyHere, ...older.filter(({ id }) => !known.has(id))]);
  nextChats.value = older.length ? nextChats.value : found.next;
  await prune(here);
}

/** The next page of the list. */
export async function olderChats() {
  if (!nextChats.value) return;
  const found = await page(`&cursor=${nextChats.value}`).catch(() => null);
  if (!found) return;
  const known = new Set(chats.value.map(({ id }) => id));
  chats.value = inOrder([...chats.value, ...found.list.filter(({ id }) => !known.has(id))]);
  nextChats.value = found.next;
}

/** Chats with all of these words in them, newest first. @param {string} words @returns {Promise<Meta[]>} */
export async function findChats(words) {
  if (keptIn.value !== "browser") return inOrder((await page(`&q=${encodeURIComponent(words)}`)).list);
  const terms = words.toLowerCase().split(/\s+/).filter(Boolean);
  const texts = (await keptHere()).map((chat) => ({
    chat,
    text: [chat.title, ...chat.nodes.map(({ text }) => text)].join("\n").toLowerCase(),
  }));
  return inOrder(texts.filter(({ text }) => terms.every((term) => text.includes(term))).map(({ chat }) => metaOf(chat)));
}

/** What was only copied here goes when there is too much of it. @param {Kept[]} here */
async function prune(here) {
  if (keptIn.value !== "service") return;
  const copies = here.filter(({ pending }) => !pending.length).sort((a, b) => b.updatedAt - a.updatedAt);
  for (const { id } of copies.slice(MOST_HERE)) await dropHere(id);
}

// ------------------------------------------------------------- as the API has it

/** @param {import("./thread.js").Node} node */
export function toMessage(node) {
  const shared = { id: node.id, parent: node.parent, role: node.role, text: node.text, at: new Date(node.at).toISOString() };
  if (node.role === "user") return { ...shared, models: node.models, attachments: node.attachments };
  const { model, requestId, state, problem, reasoning, toolCalls } = node;
  return { ...shared, model, request_id: requestId, state, error: problem, reasoning, tool_calls: toolCalls };
}

/** @param {any} message @param {Record<string, import("./receipt.js").RequestRecord>} records by request @returns {import("./thread.js").Node} */
export function fromMessage(message, records) {
  const { id, parent = null, role, text = "", models = [], attachments = [] } = message;
  const at = Date.parse(message.at);
  if (role === "user") return { id, role, parent, text, at, models, attachments: attachments.map(named) };
  const { model = "", request_id: requestId = null, state = "done", error: problem = null, reasoning = "" } = message;
  const toolCalls = (message.tool_calls ?? []).map((/** @type {any} */ call) => ({ arguments: "", ...call }));
  return { id, role, parent, text, at, model, requestId, state, problem, reasoning, toolCalls, record: records[requestId] ?? null };
}

/** @param {any} file @returns {import("./thread.js").Attachment} */
const named = (file) => ({ name: "", ...file });

// ------------------------------------------------------------------------ one chat

/** A chat as the service has it, with what only this browser has of it; undefined if nobody knows it.
 * @param {string} id @returns {Promise<Chat | undefined>} */
export async function loadChat(id) {
  const here = unsent.get(id) ?? (await findHere(id));
  if (keptIn.value === "browser") return here;
  try {
    const { title, settings, messages, requests } = await getJson(`${PATH}/${id}`);
    const nodes = messages.map((/** @type {any} */ message) => fromMessage(message, requests));
    if (!here?.pending.length) return { id, title, settings, nodes };
    unsent.set(id, here);
    return { ...here, nodes: joined(nodes, here) };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404 && !here?.pending.length && keptIn.value === "service") return undefined;
    return here;
  }
}

/** @param {import("./thread.js").Node[]} nodes @param {Kept} here */
function joined(nodes, here) {
  const own = new Map(here.nodes.filter(({ id }) => here.pending.includes(id)).map((node) => [node.id, node]));
  const known = new Set(nodes.map(({ id }) => id));
  return [...nodes.map((node) => own.get(node.id) ?? node), ...[...own.values()].filter(({ id }) => !known.has(id))];
}

/** Chats with something to send, as they are now. @type {Map<string, Kept>} */
const unsent = new Map();
/** @type {Map<string, Promise<void>>} */
const sending = new Map();

/** Keep a chat; `changed` are the nodes that are new or other than before. It is in this browser when this ends, and with the service
 * as soon as it answers. @param {Chat} chat @param {string[]} changed */
export async function saveChat(chat, changed) {
  const updatedAt = Math.max(0, ...chat.nodes.map(({ at }) => at));
  const pending = [...new Set([...(unsent.get(chat.id)?.pending ?? []), ...changed])];
  const kept = { ...chat, updatedAt, pending };
  unsent.set(chat.id, kept);
  const old = chats.value.find(({ id }) => id === chat.id);
  chats.value = inOrder([metaOf(kept), ...chats.value.filter((one) => one !== old)]);
  await keepHere(kept);
  channel?.postMessage("changed");
  send(chat.id);
}

/** Send what the service does not have yet; one call at a time for each chat. @param {string} id */
function send(id) {
  if (keptIn.value === "browser" || sending.has(id)) return;
  const job = sendAll(id).finally(() => sending.delete(id));
  sending.set(id, job);
}

/** @param {string} id */
async function sendAll(id) {
  for (let chat = unsent.get(id); chat; chat = unsent.get(id)) {
    const { title, settings, nodes, pending } = chat;
    const messages = nodes.filter((node) => pending.includes(node.id)).map(toMessage);
    try {
      await change("PUT", `${PATH}/${id}`, { title, settings, messages });
      await sendFiles(id);
    } catch (error) {
      if (error instanceof ApiError && error.status === 403) keptIn.value = "browser";
      console.info("This chat is not with the service yet:", error instanceof ApiError ? error.message : error);
      return;
    }
    keptIn.value = "service";
    if (unsent.get(id) !== chat) continue;
    unsent.delete(id);
    await keepHere({ ...chat, pending: [] });
    channel?.postMessage("changed");
    await refreshChats();
  }
}

/** Send whatever waits: the API answers again. */
export async function sendUnsent() {
  for (const chat of await keptHere()) if (chat.pending.length && !unsent.has(chat.id)) unsent.set(chat.id, chat);
  for (const id of unsent.keys()) send(id);
}

/** @param {string} id @param {string} title */
export async function renameChat(id, title) {
  chats.value = chats.value.map((chat) => (chat.id === id ? { ...chat, title } : chat));
  const here = await findHere(id);
  if (here) await keepHere({ ...here, title });
  const waits = unsent.get(id);
  if (waits) unsent.set(id, { ...waits, title });
  if (keptIn.value === "service") await change("PATCH", `${PATH}/${id}`, { title });
  channel?.postMessage("changed");
}

/** Take a chat off the list. It is gone for good with `forGood`, and as if nothing had been with `undo`. @param {string} id */
export function removeChat(id) {
  leaving.add(id);
  chats.value = inOrder(chats.value);
  const forGood = () => {
    removeEventListener("pagehide", forGood);
    if (!leaving.has(id)) return;
    unsent.delete(id);
    dropHere(id);
    if (keptIn.value === "service") fetch(`${PATH}/${id}`, { method: "DELETE", headers: { "x-webui": "1" }, keepalive: true });
    channel?.postMessage("changed");
  };
  addEventListener("pagehide", forGood);
  const undo = () => {
    leaving.delete(id);
    removeEventListener("pagehide", forGood);
    return refreshChats();
  };
  return { undo, forGood };
}

// ------------------------------------------------------------------------- files

/** Bytes of files as base64, as far as they were needed. @type {Map<string, string>} */
const bytes = new Map();

/** Keep a file of a chat that is saved afterwards. @param {string} chatId @param {{ id: string, media_type: string, data: string }} file */
export async function saveFile(chatId, { id, media_type, data }) {
  bytes.set(id, data);
  await within("files", "readwrite", (store) => store.put({ id, chatId, media_type, data }));
}

/** @param {string} chatId */
async function sendFiles(chatId) {
  /** @type {{ id: string, chatId: string, media_type: string, data: string }[]} */
  const waiting = (await within("files", "readonly", (store) => store.getAll())) ?? [];
  for (const { id, media_type, data } of waiting.filter((file) => file.chatId === chatId)) {
    await change("PUT", `${PATH}/${chatId}/files/${id}`, { media_type, data });
    await within("files", "readwrite", (store) => store.delete(id));
  }
}

/** A file's bytes as base64, or undefined. @param {string} chatId @param {string} fileId @returns {Promise<string | undefined>} */
export async function loadFile(chatId, fileId) {
  const known = bytes.get(fileId) ?? (await within("files", "readonly", (store) => store.get(fileId)))?.data;
  if (known) return known;
  const reply = await fetch(`${PATH}/${chatId}/files/${fileId}`).catch(() => null);
  if (!reply?.ok) return undefined;
  const read = Array.from(new Uint8Array(await reply.arrayBuffer()), (byte) => String.fromCharCode(byte));
  bytes.set(fileId, btoa(read.join("")));
  return bytes.get(fileId);
}

// ------------------------------------------------------------------ what was heard

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
