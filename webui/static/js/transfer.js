// A chat as a file: Markdown to read, JSON to bring back.
import { cost, count, duration } from "./format.js";
import { fromMessage, loadFile, saveChat, saveFile, toMessage } from "./store.js";
import { newId } from "./talk.js";
import { turnsOf } from "./thread.js";

const FORMAT = "litellm-microservices.chat";
const VERSION = 1;

/** @typedef {import("./store.js").Chat} Chat */

/** The branch that is shown, with a receipt under each answer. @param {Chat} chat */
export function markdownOf(chat) {
  const parts = turnsOf(chat.nodes, chat.settings.leaf ?? null).flatMap((turn) => {
    const answers = turn.models.length > 1 ? turn.answers : turn.answers.slice(turn.shown, turn.shown + 1);
    const files = turn.attachments
      .map(({ name, media_type, size }) => `*Attached: ${name || media_type}, ${count(size)} bytes*\n\n`)
      .join("");
    return [`## You\n\n${files}${turn.text}`, ...answers.map((answer) => `## ${answer.model}\n\n${answer.text}\n\n${receiptOf(answer)}`)];
  });
  return `# ${chat.title}\n\n${parts.join("\n\n")}\n`;
}

/** @param {import("./thread.js").Answer} answer */
function receiptOf({ record, state }) {
  if (!record) return state === "done" ? "" : `*${state}*`;
  const tokens = record.tokens ? `${count(record.tokens.prompt)} in → ${count(record.tokens.completion)} out` : "";
  const time = record.response_time == null ? "" : duration(record.response_time);
  const parts = [state === "done" ? "" : state, time, tokens, record.cost_usd === undefined ? "" : cost(record.cost_usd)];
  return `*${[...parts, record.request_id].filter(Boolean).join(" · ")}*`;
}

/** Everything of a chat, its branches and files too. @param {Chat} chat */
export async function jsonOf(chat) {
  const attachments = chat.nodes.flatMap((node) => (node.role === "user" ? node.attachments : []));
  const files = await Promise.all(
    attachments.map(async ({ id, media_type }) => /** @type {const} */ ([id, { media_type, data: (await loadFile(chat.id, id)) ?? "" }])),
  );
  const records = chat.nodes.flatMap((node) => (node.role === "assistant" && node.record ? [[node.record.request_id, node.record]] : []));
  const { title, settings, nodes } = chat;
  const whole = { format: FORMAT, version: VERSION, title, settings, messages: nodes.map(toMessage) };
  return JSON.stringify({ ...whole, records: Object.fromEntries(records), files: Object.fromEntries(files) }, null, 2);
}

/** Take up what `jsonOf` wrote, as a new chat; gives its id. Throws an `Error` that says what is wrong with the file. @param {string} text */
export async function takeUp(text) {
  const whole = read(text);
  const chatId = newId();
  /** @type {import("./thread.js").Node[]} */
  const nodes = whole.messages.map((/** @type {any} */ message) => fromMessage(message, whole.records ?? {}));
  for (const node of nodes) {
    if (!node.id || !["user", "assistant"].includes(node.role) || Number.isNaN(node.at))
      throw new Error("A message in this file is not whole.");
  }
  for (const [id, { media_type, data }] of Object.entries(whole.files ?? {})) await saveFile(chatId, { id, media_type, data });
  const chat = { id: chatId, title: String(whole.title ?? "Imported chat").slice(0, 200), settings: whole.settings ?? {}, nodes };
  await saveChat(
    chat,
    nodes.map(({ id }) => id),
  );
  return chatId;
}

/** @param {string} text */
function read(text) {
  let whole;
  try {
    whole = JSON.parse(text);
  } catch {
    throw new Error("This file is not JSON. Choose one that “Export as JSON” wrote.");
  }
  if (whole?.format !== FORMAT || !Array.isArray(whole.messages))
    throw new Error("This file is no exported chat. Choose one that “Export as JSON” wrote.");
  if (whole.version > VERSION) throw new Error("This file was written by a newer console. Update this one first.");
  return whole;
}

/** Give the browser a file to save. @param {string} name @param {string} text @param {string} type */
export function save(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A name for a file. @param {string} title @param {string} extension */
export const fileName = (title, extension) =>
  `${
    title
      .replace(/[^\p{L}\p{N}]+/gu, "-")
      .replace(/^-|-$/g, "")
      .slice(0, 60) || "chat"
  }.${extension}`;
