// Files that go with a question: pictures as they are, texts as text.

import { attached } from "./composer.js";
import { announce } from "./core.js";
import { loadFile } from "./store.js";
import { newId } from "./talk.js";

/** @typedef {import("./thread.js").Attachment} Attachment */

const MOST_FILES = 8;
const MOST_IMAGE_BYTES = 5_000_000;
const MOST_TEXT_BYTES = 400_000;
const IMAGES = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/** Why a file cannot go with a question, or "". @param {{ name: string, type: string, size: number }} file @param {boolean} isText */
export function fileProblem({ name, type, size }, isText) {
  const isImage = IMAGES.includes(type);
  if (!isImage && !isText) return `${name}: only PNG, JPEG, WebP and GIF pictures and text files can be attached.`;
  const most = isImage ? MOST_IMAGE_BYTES : MOST_TEXT_BYTES;
  return size > most ? `${name}: ${isImage ? "a picture" : "a text"} may have at most ${most / 1000} KB.` : "";
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += 8192) parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return btoa(parts.join(""));
}

/** Text as UTF-8, or null for other bytes. @param {Uint8Array} bytes */
function textOf(bytes) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

/** Take files up for the next question; gives what was wrong with those that are not. @param {Iterable<File>} files */
export async function attach(files) {
  /** @type {string[]} */
  const problems = [];
  for (const file of files) {
    if (attached.value.length >= MOST_FILES) {
      problems.push(`At most ${MOST_FILES} files go with a question.`);
      break;
    }
    const bytes = new Uint8Array(await file.slice(0, MOST_IMAGE_BYTES + 1).arrayBuffer());
    const isImage = IMAGES.includes(file.type);
    const problem = fileProblem(file, isImage || textOf(bytes) !== null);
    if (problem) problems.push(problem);
    else {
      const taken = { id: newId(), name: file.name.slice(0, 200), media_type: isImage ? file.type : "text/plain", size: file.size };
      attached.value = [...attached.value, { ...taken, data: base64(bytes) }];
      announce(`${file.name} attached`);
    }
  }
  return problems;
}

/** What was said, with its files in the words of the API. @param {string} chatId
 * @param {{ role: string, text: string, attachments: Attachment[] }[]} said */
export function withFiles(chatId, said) {
  return Promise.all(
    said.map(async ({ role, text, attachments }) => {
      if (!attachments.length) return { role, content: text };
      const parts = await Promise.all(attachments.map((file) => partOf(chatId, file)));
      return { role, content: [...parts, ...(text ? [{ type: "text", text }] : [])] };
    }),
  );
}

/** @param {string} chatId @param {Attachment} file */
async function partOf(chatId, file) {
  const data = await loadFile(chatId, file.id);
  if (data === undefined) return { type: "text", text: `(The file ${file.name} is not kept any more.)` };
  if (file.media_type.startsWith("image/")) return { type: "image_url", image_url: { url: `data:${file.media_type};base64,${data}` } };
  const text = new TextDecoder().decode(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)));
  return { type: "text", text: `File ${file.name}:\n\`\`\`\n${text}\n\`\`\`` };
}
