// The conversation that is open: what was said, what is coming, and where it is kept.
import { ApiError, askWhoIAm, chatEvents, getJson, me, post, retryAfter } from "./api.js";
import { attached, blocked, draft, parameters, sentParameters, system, user } from "./composer.js";
import { announce, batch, byId, computed, signal } from "./core.js";
import { choose, chosen, compared } from "./picker.js";
import { spoken } from "./receipt.js";
import { openChat, probe } from "./shell.js";
import { loadChat, owned, saveChat, saveFile, takeNote } from "./store.js";
import { endOf, saidBefore, titleOf, turnsOf } from "./thread.js";

/** @typedef {import("./thread.js").Node} Node
 * @typedef {import("./thread.js").Question} Question
 * @typedef {import("./thread.js").Answer} Answer
 * @typedef {import("./thread.js").Turn} Turn
 * @typedef {{ text: string, reasoning: string, toolCalls: import("./thread.js").ToolCall[], beganMs: number, firstMs: number | null, provider: string }} Live
 * @typedef {{ abort: AbortController, model: string, words: string, thoughts: string, beganAt: number }} Call */

const APPLICATION = "webui";
const SAVE_EVERY_MS = 1000;
const RECORD_WAITS_MS = [0, 150, 300, 600, 1200];

export const nodes = signal(/** @type {Node[]} */ ([]));
const leaf = signal(/** @type {string | null} */ (null));
export const chatId = signal(newId());
/** The title that somebody gave; else it is made from the first question. */
export const givenTitle = signal(/** @type {string | null} */ (null));
export const turns = computed(() => turnsOf(nodes.value, leaf.value));
export const title = computed(() => givenTitle.value ?? titleOf(nodes.value));
export const editing = signal(/** @type {string | null} */ (null));
export const opening = signal(location.pathname.startsWith("/c/"));

/** Answers that are coming, each apart, so that a word redraws nothing but its own. */
export const lives = signal(/** @type {Map<string, import("./core.js").Signal<Live>>} */ (new Map()));
export const busy = computed(() => lives.value.size > 0);
/** @type {Map<string, Call>} */
const calls = new Map();
let savedAt = 0;
let frame = 0;

/** What the page does when a question is sent: it follows the answer. */
export const on = { asked: () => {} };

export function newId() {
  return crypto.randomUUID ? crypto.randomUUID() : `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
}

// ------------------------------------------------------------------------- kept

/** @param {string[]} changed */
async function save(changed) {
  if (nodes.value.length === 0) return;
  savedAt = Date.now();
  const shown = nodes.value.map((node) => {
    const live = lives.value.get(node.id)?.peek();
    return live && node.role === "assistant" ? { ...node, text: live.text, reasoning: live.reasoning, toolCalls: live.toolCalls } : node;
  });
  await saveChat({ id: chatId.value, title: title.value.slice(0, 200), settings: settingsNow(), nodes: shown }, changed);
}

/** What the chat goes on with. */
export const settingsNow = () => ({
  model: chosen.value || null,
  models: compared.value,
  system: system.value,
  parameters: parameters.value,
  leaf: leaf.value,
});

export const draftKey = () => owned(`draft:${location.pathname.startsWith("/c/") ? chatId.peek() : "new"}`);

/** @param {string} id */
export async function open(id) {
  stop();
  const chat = await loadChat(id);
  opening.value = false;
  if (!chat) {
    history.replaceState(null, "", "/");
    startNew();
    return;
  }
  const { settings, nodes: loaded } = chat;
  batch(() => {
    editing.value = null;
    chatId.value = id;
    nodes.value = loaded.map(closed);
    leaf.value = settings.leaf ?? null;
    givenTitle.value = chat.title && chat.title !== titleOf(loaded) ? chat.title : null;
    system.value = settings.system ?? "";
    parameters.value = settings.parameters ?? {};
    compared.value = settings.models ?? [];
    attached.value = [];
    if (settings.model && settings.model !== chosen.value) choose(settings.model);
    openChat.value = id;
    draft.value = localStorage.getItem(owned(`draft:${id}`)) ?? "";
  });
  on.asked();
  completeRecords();
}

/** Read the records that nobody was there to read: the page had gone, or shown another chat. */
async function completeRecords() {
  const chat = chatId.value;
  /** @type {string[]} */
  const read = [];
  for (const node of nodes.value) {
    if (node.role !== "assistant" || !node.requestId || node.record || node.problem?.admitted === false || node.state === "live") continue;
    const record = await recordOf(node.requestId);
    if (chatId.value !== chat) return;
    if (record) changeAnswer(node.id, { record });
    read.push(node.id);
  }
  if (read.length) await save(read);
}

/** An answer that was coming when the page went away. @param {Node} node @returns {Node} */
function closed(node) {
  if (node.role !== "assistant" || node.state !== "live") return node;
  return { ...node, ...takeNote(node.id), state: "failed", problem: { status: 0, code: "closed", message: "" } };
}

/** The open chat was deleted: what is still coming is not wanted. */
export function abandonChat() {
  for (const call of calls.values()) call.abort.abort();
  calls.clear();
  lives.value = new Map();
  startNew();
}

export function startNew() {
  stop();
  batch(() => {
    chatId.value = newId();
    nodes.value = [];
    leaf.value = null;
    givenTitle.value = null;
    editing.value = null;
    system.value = "";
    parameters.value = {};
    compared.value = [];
    attached.value = [];
    openChat.value = null;
    opening.value = false;
  });
  if (location.pathname !== "/") history.pushState(null, "", "/");
  draft.value = localStorage.getItem(owned("draft:new")) ?? "";
  byId("message")?.focus();
}

// ------------------------------------------------------------------------ asking

/** @param {string} id @param {Partial<Answer>} change */
function changeAnswer(id, change) {
  nodes.value = nodes.value.map((node) => (node.id === id && node.role === "assistant" ? { ...node, ...change } : node));
}

/** @param {string} id */
export const answerOf = (id) => /** @type {Answer | undefined} */ (nodes.value.find((node) => node.id === id));

/** @param {string} text */
export async function send(text) {
  if (busy.value || blocked.value) return;
  localStorage.removeItem(draftKey());
  draft.value = "";
  const models = [chosen.value, ...compared.value];
  const files = attached.value;
  const old = turns.value.find((turn) => turn.id === editing.value);
  const last = turns.value.at(-1);
  /** @type {Question} */
  const question = {
    id: newId(),
    role: "user",
    parent: old ? old.parent : (last?.answers[last.shown]?.id ?? last?.id ?? null),
    text,
    at: Date.now(),
    models: models.length > 1 ? models : [],
    attachments: files.map(({ id, name, media_type, size }) => ({ id, name, media_type, size })),
  };
  batch(() => {
    editing.value = null;
    attached.value = [];
    nodes.value = [...nodes.value, question];
    leaf.value = question.id;
    openChat.value = chatId.value;
  });
  if (!location.pathname.startsWith("/c/")) history.pushState(null, "", `/c/${chatId.value}`);
  on.asked();
  for (const file of files) if (file.data) await saveFile(chatId.value, { ...file, data: file.data });
  ask(question.id, models);
}

/** A further answer to the same question; the earlier ones stay. @param {Turn} turn @param {string} [model] */
export function regenerate(turn, model = chosen.value) {
  if (busy.value || blocked.value) return;
  on.asked();
  ask(turn.id, [model]);
}

/** @param {string} questionId @param {string[]} models each answers for itself */
function ask(questionId, models) {
  const beganMs = performance.now();
  const coming = models.map((model) => {
    /** @type {Answer} */
    const answer = { id: newId(), role: "assistant", parent: questionId, text: "", at: Date.now(), ...empty(model) };
    calls.set(answer.id, { abort: new AbortController(), model, words: "", thoughts: "", beganAt: Date.now() });
    return answer;
  });
  batch(() => {
    nodes.value = [...nodes.value, ...coming];
    leaf.value = coming[0].id;
    lives.value = new Map(
      coming.map(({ id }) => [id, signal({ text: "", reasoning: "", toolCalls: [], beganMs, firstMs: null, provider: "" })]),
    );
  });
  announce("Generating");
  save([questionId, ...coming.map(({ id }) => id)]);
  for (const answer of coming) hearOut(answer);
}

/** @param {string} model */
const empty = (model) => ({
  model,
  requestId: null,
  state: /** @type {const} */ ("live"),
  problem: null,
  reasoning: "",
  toolCalls: [],
  record: null,
});

/** @typedef {{ state: "done" | "failed" | "stopped", problem: import("./errors.js").Problem | null, record: any }} Ending */

/** @param {Answer} answer */
async function hearOut(answer) {
  const call = /** @type {Call} */ (calls.get(answer.id));
  const outcome = await listen(answer, call).catch((error) => ({
    state: /** @type {const} */ ("failed"),
    problem: problemOf(error),
    record: null,
  }));
  if (calls.get(answer.id) !== call) return;
  await finish(answer.id, call.abort.signal.aborted ? { state: "stopped", problem: null, record: null } : outcome);
}

/** The request's body for one question and model. @param {string} questionId @param {string} model */
export async function bodyFor(questionId, model) {
  const path = turnsOf(nodes.value, questionId);
  const turn = /** @type {Turn} */ (path.find(({ id }) => id === questionId));
  const said = [...saidBefore(path, questionId, model), { role: "user", text: turn.text, attachments: turn.attachments }];
  const hasFiles = said.some(({ attachments }) => attachments.length);
  const messages = hasFiles
    ? await (await import("./attach.js")).withFiles(chatId.value, said)
    : said.map(({ role, text }) => ({ role, content: text }));
  return {
    model,
    messages,
    stream: true,
    include: ["reasoning", "tool_calls"],
    ...(!me.value?.application_id && { application_id: APPLICATION }),
    ...(!me.value?.user_id && user.value.trim() && { user_id: user.value.trim() }),
    ...(system.value.trim() && { system: system.value.trim() }),
    ...sentParameters(),
  };
}

/** Take an answer as it comes. @param {Answer} answer @param {Call} call @returns {Promise<Ending>} */
async function listen({ id, parent }, call) {
  const { signal: abort } = call.abort;
  const reply = await post("/api/chat", await bodyFor(parent, call.model), abort);
  const requestId = reply.headers.get("x-request-id");
  changeLive(id, { provider: reply.headers.get("x-gateway-provider") ?? "" });
  if (calls.has(id)) {
    changeAnswer(id, { requestId });
    save([id]);
  }
  for await (const event of chatEvents(/** @type {ReadableStream<Uint8Array>} */ (reply.body))) {
    if (abort.aborted) break;
    if (event.type === "chunk") hear(id, { words: event.delta });
    else if (event.type === "reasoning") hear(id, { thoughts: event.delta });
    else if (event.type === "tool_call") hearCall(id, event);
    else if (event.type === "error") return { state: "failed", problem: streamProblem(event.error), record: null };
    else if (event.type === "done") return { state: "done", problem: null, record: { request_id: event.request_id, ...event.metadata } };
  }
  return { state: "failed", problem: { status: 0, code: "cut", message: "", requestId }, record: null };
}

/** @param {string} id @param {Partial<Live>} change */
function changeLive(id, change) {
  const live = lives.value.get(id);
  if (live) live.value = { ...live.value, ...change };
}

/** Words are shown once a frame, however they come. @param {string} id @param {{ words?: string, thoughts?: string }} heard */
function hear(id, { words = "", thoughts = "" }) {
  const call = calls.get(id);
  if (!call) return;
  call.words += words;
  call.thoughts += thoughts;
  if (lives.value.get(id)?.peek().firstMs == null) changeLive(id, { firstMs: performance.now() });
  if (!frame) frame = requestAnimationFrame(utter);
  if (document.hidden) utter();
}

/** @param {string} id @param {{ index: number, id?: string, name?: string, delta?: string }} event */
function hearCall(id, { index, id: callId, name, delta = "" }) {
  const toolCalls = [...(lives.value.get(id)?.peek().toolCalls ?? [])];
  const known = toolCalls[index] ?? { id: callId ?? "", name: name ?? "", arguments: "" };
  toolCalls[index] = { ...known, arguments: known.arguments + delta };
  changeLive(id, { toolCalls });
  hear(id, {});
}

function utter() {
  cancelAnimationFrame(frame);
  frame = 0;
  for (const [id, live] of lives.value) {
    const call = calls.get(id);
    if (!call || !(call.words || call.thoughts)) continue;
    live.value = { ...live.value, text: live.value.text + call.words, reasoning: live.value.reasoning + call.thoughts };
    call.words = "";
    call.thoughts = "";
  }
  if (busy.value && Date.now() - savedAt > SAVE_EVERY_MS) save([...lives.value.keys()]);
}

/** @param {any} error */
const streamProblem = (error) => ({
  status: Number(error.status ?? 0),
  code: String(error.code ?? "error"),
  message: String(error.message ?? ""),
  requestId: error.request_id,
  retryAfter: error.details?.limit?.retry_after_s ?? retryAfter(error.retry_after ? String(error.retry_after) : null),
  details: error.details ?? null,
});

/** @param {any} error @returns {import("./errors.js").Problem} */
function problemOf(error) {
  if (!(error instanceof ApiError)) return { status: 0, code: "cut", message: "" };
  if (["api_unreachable", "console_unreachable"].includes(error.code)) probe();
  const { status, code, message, requestId, retryAfter, admitted, details } = error;
  return { status, code, message, requestId, retryAfter, admitted, details };
}

/** @param {string} id @param {Ending} ending */
async function finish(id, ending) {
  utter();
  const chat = chatId.value;
  const call = calls.get(id);
  const live = lives.value.get(id)?.peek();
  calls.delete(id);
  const requestId = ending.problem?.requestId ?? ending.record?.request_id ?? answerOf(id)?.requestId ?? null;
  const { text = "", reasoning = "", toolCalls = [] } = live ?? {};
  batch(() => {
    lives.value = new Map([...lives.value].filter(([other]) => other !== id));
    changeAnswer(id, { ...ending, text, reasoning, toolCalls, requestId, at: Date.now() });
  });
  await save([id]);
  const isRecorded = requestId && ending.problem?.admitted !== false;
  const record = isRecorded ? await recordOf(requestId) : ending.state === "stopped" && call ? await abandoned(call) : null;
  if (chatId.value !== chat) return;
  if (record) changeAnswer(id, { record, requestId: record.request_id });
  const answer = answerOf(id);
  if (answer) announce(spoken(answer));
  await save([id]);
  if (ending.problem?.code === "unauthenticated") askWhoIAm();
}

/** The API's own record; one that was stopped is settled a moment later. @param {string} requestId */
export async function recordOf(requestId) {
  for (const waitMs of RECORD_WAITS_MS) {
    if (waitMs) await new Promise((resolve) => setTimeout(resolve, waitMs));
    try {
      const record = await getJson(`/api/requests/${requestId}`);
      const { query: _query, messages: _messages, response: _response, ...figures } = record;
      return figures;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) return null;
    }
  }
  return null;
}

/** Stopped before the API had said the request's id: its record is the one that was left at that moment. @param {Call} call */
async function abandoned({ model, beganAt }) {
  const who = me.value?.user_id ?? user.value.trim();
  const filter = new URLSearchParams({
    application_id: me.value?.application_id ?? APPLICATION,
    http_status: "499",
    from: new Date(beganAt - 1000).toISOString(),
    limit: "5",
    ...(who && { user_id: who }),
  });
  for (const waitMs of RECORD_WAITS_MS) {
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    const { requests } = await getJson(`/api/requests?${filter}`).catch(() => ({ requests: [] }));
    const left = requests.filter((/** @type {any} */ one) => one.model === model || one.model.endsWith(`/${model}`));
    if (left.length === 1) return recordOf(left[0].request_id);
  }
  return null;
}

export function stop() {
  if (!calls.size) return;
  utter();
  for (const [id, call] of [...calls]) {
    call.abort.abort();
    finish(id, { state: "stopped", problem: null, record: null });
  }
}

/** What is coming and not kept yet: the page goes away. @returns {[string, { text: string, requestId: string | null }][]} */
export function unkept() {
  return [...lives.value].map(([id, live]) => [
    id,
    { text: live.peek().text + (calls.get(id)?.words ?? ""), requestId: answerOf(id)?.requestId ?? null },
  ]);
}

// --------------------------------------------------------------------- branches

/** Show the branch that goes through this message. @param {string} id */
export function show(id) {
  leaf.value = endOf(nodes.value, id);
  save([]);
}

/** Bring a question back into the composer; sending it makes a branch beside the old wording. @param {Turn} turn */
export function edit(turn) {
  if (busy.value) return;
  editing.value = turn.id;
  draft.value = turn.text;
  attached.value = turn.attachments.map((file) => ({ ...file, data: "" }));
  byId("message").focus();
}
