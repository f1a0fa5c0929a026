// The chat page: one conversation, its calls, its place in the list.
import { ApiError, askWhoIAm, getJson, mayCall, me, post, retryAfter } from "./api.js";
import {
  blocked,
  Composer,
  contextTokens,
  draft,
  parameters,
  sentParameters,
  system,
  toggleSettings,
  UserField,
  user,
} from "./composer.js";
import { announce, byId, computed, copyText, effect, html, Icon, render, signal } from "./core.js";
import { contextSize, rate } from "./format.js";
import { lazy } from "./markdown.js";
import { live, spoken, Turns } from "./messages.js";
import { choose, chosen, loaded, loadModels, missing, model, models, openPicker, Picker } from "./picker.js";
import { connection, keymap, missingModule, openChat, probe, shortcuts, startShell } from "./shell.js";
import { chatEvents } from "./sse.js";
import { leaveNote, loadChat, owned, saveChat, takeNote } from "./store.js";

/** @typedef {import("./messages.js").Turn} Turn
 * @typedef {import("./messages.js").Answer} Answer */

const APPLICATION = "webui";
const SAVE_EVERY_MS = 1000;
const RECORD_WAITS_MS = [0, 150, 300, 600, 1200];
const TITLE_LENGTH = 60;
const NEW = "New chat";

const turns = signal(/** @type {Turn[]} */ ([]));
const chatId = signal(newId());
const busy = computed(() => live.value !== null);
const title = computed(() => titleOf(turns.value));

const editing = signal(/** @type {string | null} */ (null));
const opening = signal(location.pathname.startsWith("/c/"));
/** Answers that an edit has replaced: they were paid for. @type {Answer[]} */
let replaced = [];
/** @type {AbortController | null} */
let calling = null;
let savedAt = 0;
let beganAt = 0;

function newId() {
  return crypto.randomUUID ? crypto.randomUUID() : `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
}

/** @param {Turn[]} list */
function titleOf(list) {
  const line = (list[0]?.text ?? "")
    .trim()
    .split("\n")[0]
    .replace(/^[#>*`\s-]+/, "");
  return line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH)}…` : line || NEW;
}

// ----------------------------------------------------------------- state kept

/** What stands in the list: every answer counts, the ones not shown as well. @returns {import("./store.js").Meta} */
function metaNow() {
  const records = [...replaced, ...turns.value.flatMap((turn) => turn.answers)].flatMap((answer) => answer.record ?? []);
  const priced = records.filter((record) => record.cost_nano_usd != null);
  return {
    id: chatId.value,
    title: title.value,
    updatedAt: Math.max(...turns.value.flatMap((turn) => turn.answers.map((answer) => answer.at))),
    requests: records.length,
    unpriced: records.length - priced.length,
    costNano: priced.length ? priced.reduce((sum, record) => sum + (record.cost_nano_usd ?? 0), 0) : null,
  };
}

async function save() {
  if (turns.value.length === 0) return;
  savedAt = Date.now();
  const coming = live.value;
  const kept = turns.value.map((turn) => ({
    ...turn,
    answers: turn.answers.map((answer) => (coming?.id === answer.id ? { ...answer, text: coming.text } : answer)),
  }));
  await saveChat(metaNow(), {
    id: chatId.value,
    turns: kept,
    replaced,
    system: system.value,
    parameters: parameters.value,
    model: chosen.value,
  });
}

const draftKey = () => owned(`draft:${location.pathname.startsWith("/c/") ? chatId.peek() : "new"}`);

/** @param {string} id */
async function open(id) {
  stop();
  const content = await loadChat(id);
  opening.value = false;
  if (!content) {
    history.replaceState(null, "", "/");
    startNew();
    return;
  }
  editing.value = null;
  replaced = content.replaced ?? [];
  chatId.value = id;
  turns.value = content.turns.map((/** @type {Turn} */ turn) => ({ ...turn, answers: turn.answers.map(closed) }));
  system.value = content.system ?? "";
  parameters.value = content.parameters ?? {};
  if (content.model && content.model !== chosen.value) choose(content.model);
  openChat.value = id;
  draft.value = localStorage.getItem(owned(`draft:${id}`)) ?? "";
  following = true;
  scrollToEnd();
  completeRecords();
}

/** Read the records that nobody was there to read: the page had gone, or shown another chat. */
async function completeRecords() {
  const chat = chatId.value;
  const missed = turns.value
    .flatMap((turn) => turn.answers)
    .filter(({ requestId, record, problem, state }) => requestId && !record && problem?.admitted !== false && state !== "live");
  for (const { id, requestId } of missed) {
    const record = await recordOf(/** @type {string} */ (requestId));
    if (chatId.value !== chat) return;
    if (record) changeAnswer(id, { record });
  }
  if (missed.length) await save();
}

/** An answer that was coming when the page went away. @param {Answer} answer @returns {Answer} */
function closed(answer) {
  if (answer.state !== "live") return answer;
  return { ...answer, ...takeNote(answer.id), state: "failed", problem: { status: 0, code: "closed", message: "" } };
}

/** The open chat was deleted: what is still coming is not wanted. */
function abandonChat() {
  calling?.abort();
  calling = null;
  live.value = null;
  heard = "";
  startNew();
}

function startNew() {
  stop();
  chatId.value = newId();
  turns.value = [];
  replaced = [];
  editing.value = null;
  system.value = "";
  parameters.value = {};
  openChat.value = null;
  if (location.pathname !== "/") history.pushState(null, "", "/");
  draft.value = localStorage.getItem(owned("draft:new")) ?? "";
  byId("message")?.focus();
}

// --------------------------------------------------------------------- calling

/** @param {Turn} turn @param {Partial<Turn>} change */
function changeTurn(turn, change) {
  turns.value = turns.value.map((other) => (other.id === turn.id ? { ...other, ...change } : other));
}

/** @param {string} id @param {Partial<Answer>} change */
function changeAnswer(id, change) {
  turns.value = turns.value.map((turn) =>
    turn.answers.some((answer) => answer.id === id)
      ? { ...turn, answers: turn.answers.map((answer) => (answer.id === id ? { ...answer, ...change } : answer)) }
      : turn,
  );
}

/** What is sent: the turns before, with the answers that are shown, and this one. @param {Turn} turn */
function messagesFor(turn) {
  const before = turns.value.slice(
    0,
    turns.value.findIndex((other) => other.id === turn.id),
  );
  const said = before.flatMap(({ text, answers, shown }) =>
    answers[shown]?.text
      ? [
          { role: "user", content: text },
          { role: "assistant", content: answers[shown].text },
        ]
      : [],
  );
  return [...said, { role: "user", content: turn.text }];
}

/** @param {Turn} turn */
const bodyFor = (turn) => ({
  model: chosen.value,
  messages: messagesFor(turn),
  stream: true,
  ...(!me.value?.application_id && { application_id: APPLICATION }),
  ...(!me.value?.user_id && user.value.trim() && { user_id: user.value.trim() }),
  ...(system.value.trim() && { system: system.value.trim() }),
  ...sentParameters(),
});

/** @param {string} text */
function send(text) {
  if (busy.value || blocked.value) return;
  localStorage.removeItem(draftKey());
  draft.value = "";
  dropEdited();
  const turn = { id: newId(), text, answers: [], shown: 0 };
  turns.value = [...turns.value, turn];
  if (!location.pathname.startsWith("/c/")) history.pushState(null, "", `/c/${chatId.value}`);
  openChat.value = chatId.value;
  following = true;
  answerTo(turn);
}

/** A further answer to the same question; the earlier ones stay. @param {Turn} turn */
function regenerate(turn) {
  if (busy.value || blocked.value) return;
  following = true;
  answerTo(turn);
}

/** @param {Turn} turn */
async function answerTo(turn) {
  const id = newId();
  const now = /** @type {Turn} */ (turns.value.find((other) => other.id === turn.id));
  const body = bodyFor(now);
  /** @type {Answer} */
  const answer = { id, model: body.model, text: "", state: "live", requestId: null, record: null, problem: null, at: Date.now() };
  live.value = { id, text: "", beganMs: performance.now(), firstMs: null, provider: "" };
  changeTurn(now, { answers: [...now.answers, answer], shown: now.answers.length });
  announce("Generating");
  beganAt = Date.now();
  save();
  calling = new AbortController();
  const { signal: abort } = calling;
  const outcome = await listen(body, abort).catch((error) => ({
    state: /** @type {const} */ ("failed"),
    problem: problemOf(error),
    record: null,
  }));
  const coming = live.value;
  if (coming?.id !== id) return;
  const stopped = abort.aborted;
  finish(id, coming.text, stopped ? { state: "stopped", problem: null, record: null } : outcome);
}

/** @typedef {{ state: "done" | "failed" | "stopped", problem: import("./errors.js").Problem | null, record: any }} Ending */

/** Take the answer as it comes. @param {any} body @param {AbortSignal} abort @returns {Promise<Ending>} */
async function listen(body, abort) {
  const reply = await post("/api/chat", body, abort);
  const requestId = reply.headers.get("x-request-id");
  const coming = { provider: reply.headers.get("x-gateway-provider") ?? "" };
  if (live.value) {
    changeAnswer(live.value.id, { requestId });
    live.value = { ...live.value, ...coming };
    save();
  }
  for await (const event of chatEvents(/** @type {ReadableStream<Uint8Array>} */ (reply.body))) {
    if (abort.aborted) break;
    if (event.type === "chunk") hear(event.delta);
    else if (event.type === "error") return { state: "failed", problem: streamProblem(event.error), record: null };
    else if (event.type === "done") return { state: "done", problem: null, record: { request_id: event.request_id, ...event.metadata } };
  }
  return { state: "failed", problem: { status: 0, code: "cut", message: "", requestId }, record: null };
}

let heard = "";
let frame = 0;

/** Words are shown once a frame, however they come. @param {string} delta */
function hear(delta) {
  heard += delta;
  if (live.value?.firstMs == null && live.value) live.value = { ...live.value, firstMs: performance.now() };
  if (!frame) frame = requestAnimationFrame(utter);
  if (document.hidden) utter();
}

function utter() {
  cancelAnimationFrame(frame);
  frame = 0;
  if (!heard || !live.value) return;
  live.value = { ...live.value, text: live.value.text + heard };
  heard = "";
  if (Date.now() - savedAt > SAVE_EVERY_MS) save();
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

/** @param {string} id @param {string} text @param {Ending} ending */
async function finish(id, text, ending) {
  const chat = chatId.value;
  const whole = text + heard;
  heard = "";
  cancelAnimationFrame(frame);
  frame = 0;
  live.value = null;
  calling = null;
  const requestId = ending.problem?.requestId ?? ending.record?.request_id ?? answerOf(id)?.requestId ?? null;
  const recorded = requestId && ending.problem?.admitted !== false;
  changeAnswer(id, { text: whole, state: ending.state, problem: ending.problem, record: ending.record, requestId, at: Date.now() });
  await save();
  const record = recorded ? await recordOf(requestId) : ending.state === "stopped" ? await abandoned(id) : null;
  if (chatId.value !== chat) return;
  if (record) changeAnswer(id, { record, requestId: record.request_id });
  const answer = answerOf(id);
  if (answer) announce(spoken(answer));
  await save();
  if (ending.problem?.code === "unauthenticated") askWhoIAm();
}

/** @param {string} id */
const answerOf = (id) => turns.value.flatMap((turn) => turn.answers).find((answer) => answer.id === id);

/** The API's own record; one that was stopped is settled a moment later. @param {string} requestId */
async function recordOf(requestId) {
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

/** Stopped before the API had said the request's id: its record is the one that was left at that moment. @param {string} id */
async function abandoned(id) {
  const answer = /** @type {Answer} */ (answerOf(id));
  const from = new Date(beganAt - 1000).toISOString();
  const who = me.value?.user_id ?? user.value.trim();
  const filter = new URLSearchParams({
    application_id: me.value?.application_id ?? APPLICATION,
    http_status: "499",
    from,
    limit: "2",
    ...(who && { user_id: who }),
  });
  for (const waitMs of RECORD_WAITS_MS) {
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    const { requests } = await getJson(`/api/requests?${filter}`).catch(() => ({ requests: [] }));
    const left = requests.filter((/** @type {any} */ one) => one.model === answer.model || one.model.endsWith(`/${answer.model}`));
    if (left.length === 1) return recordOf(left[0].request_id);
  }
  return null;
}

function stop() {
  const coming = live.value;
  if (!coming || !calling) return;
  utter();
  calling.abort();
  finish(coming.id, live.value?.text ?? coming.text, { state: "stopped", problem: null, record: null });
}

/** Bring the last question back into the composer; sending it replaces the exchange, whose cost goes on counting.
 * @param {Turn} turn */
function edit(turn) {
  if (busy.value) return;
  editing.value = turn.id;
  draft.value = turn.text;
  byId("message").focus();
}

function dropEdited() {
  const at = turns.value.findIndex((turn) => turn.id === editing.value);
  editing.value = null;
  if (at < 0) return;
  replaced = [...replaced, ...turns.value.slice(at).flatMap((turn) => turn.answers)];
  turns.value = turns.value.slice(0, at);
}

const acts = {
  regenerate,
  edit,
  show: (/** @type {Turn} */ turn, /** @type {number} */ shown) => {
    changeTurn(turn, { shown });
    save();
  },
  chooseModel: openPicker,
  openParameters: toggleSettings,
  startNew,
};

// ---------------------------------------------------------------------- scroll

let following = true;
const away = signal(false);

function scrollToEnd() {
  const scroll = byId("scroll");
  scroll.scrollTop = scroll.scrollHeight;
}

function watchScroll() {
  const scroll = byId("scroll");
  let lastTop = 0;
  scroll.addEventListener(
    "scroll",
    () => {
      const left = scroll.scrollHeight - scroll.clientHeight - scroll.scrollTop;
      if (left < 8) following = true;
      else if (scroll.scrollTop < lastTop - 1) following = false;
      lastTop = scroll.scrollTop;
      away.value = !following && left > 40;
    },
    { passive: true },
  );
  new ResizeObserver(() => {
    if (following && turns.value.length) jump();
    else away.value = turns.value.length > 0 && scroll.scrollHeight - scroll.clientHeight - scroll.scrollTop > 40;
  }).observe(byId("log"));
}

function jump() {
  following = true;
  away.value = false;
  scrollToEnd();
}

// ------------------------------------------------------------------------ view

const EXAMPLES = [
  "Explain a 429 and how a client should back off",
  "Write SQL for spend per model and month",
  "Show the HTTP status classes as a table",
  "Review this: for i in range(len(xs)): print(xs[i])",
];

/** The price of the model as a till receipt. */
function Specimen() {
  const one = model.value;
  if (!one) return null;
  const lines = /** @type {[string, string][]} */ ([
    ["input, per M tokens", rate(one.input_price_usd_per_million)],
    ...(one.cached_input_price_usd_per_million == null ? [] : [["input, cached", rate(one.cached_input_price_usd_per_million)]]),
    ["output, per M tokens", rate(one.output_price_usd_per_million)],
  ]);
  return html`<div class="paper"><div class="specimen">
    <p class="specimen-head"><span>${one.title}</span><span class="num">${one.name}</span></p>
    <dl>${lines.map(([what, price]) => html`<dt>${what}</dt><dd class="cost">${price}</dd>`)}</dl>
    <dl class="specimen-foot">
      ${one.context_window && html`<dt>context</dt><dd>${contextSize(one.context_window)}</dd>`}
      ${one.max_output_tokens && html`<dt>longest answer</dt><dd>${contextSize(one.max_output_tokens)}</dd>`}
      ${one.abilities?.length ? html`<dt>can</dt><dd>${one.abilities.join(", ")}</dd>` : ""}
    </dl>
  </div></div>`;
}

/** No provider has a key: what to write where. */
function FirstRun() {
  const real = models.value.some((one) => one.callable && one.provider !== "demo");
  if (loaded.value !== "yes" || real || me.value?.role === "member") return null;
  const lines = missing.value.flatMap(({ reason }) => reason.match(/\b[A-Z][A-Z0-9]*_API_KEY\b/)?.[0] ?? []).slice(0, 3);
  return html`<section class="first-run" aria-labelledby="first-run">
    <h2 id="first-run">No provider is configured yet</h2>
    <p>The demo models answer without a key. For real ones put a line like these into <code>.env</code> at the project’s root and start the API service again:</p>
    <pre tabindex="0"><code>${lines.map((name) => `${name}=…`).join("\n")}</code></pre>
    <div class="row"><button class="btn" type="button" onClick=${() => loadModels().catch(() => {})}><${Icon} name="retry" />Check again</button></div>
  </section>`;
}

function Empty() {
  if (loaded.value === "waiting") return null;
  return html`<div class="welcome">
    <h2>${mayCall.value ? "What would you like to ask?" : "Your key reads only"}</h2>
    <div class="welcome-grid">
      <div>
        <${FirstRun} />
        ${
          !mayCall.value &&
          html`<ul class="examples" aria-label="What it may read"><li><a class="btn" href="/usage"><${Icon} name="usage" />Usage and spend</a></li>
          <li><a class="btn" href="/requests"><${Icon} name="requests" />All requests</a></li></ul>`
        }
        <ul class="examples" aria-label="Examples" hidden=${!mayCall.value}>${EXAMPLES.map(
          (text) =>
            html`<li><button class="btn" type="button" onClick=${() => {
              draft.value = text;
              byId("message").focus();
            }}>${text}</button></li>`,
        )}</ul>
      </div>
      <${Specimen} />
    </div>
    <p class="hint">Chats stay in this browser. The API service records each request: its figures always, ${me.value?.store_content === false ? "but not its text, as your key says." : "its text unless STORE_CONTENT=false."}</p>
  </div>`;
}

function Log() {
  if (opening.value) return null;
  if (turns.value.length === 0) return html`<${Empty} />`;
  return html`<${Turns} turns=${turns.value} acts=${acts} busy=${busy.value || !mayCall.value} />`;
}

function Foot() {
  return html`<div class="foot-inner">
    ${away.value && html`<button class="btn jump" type="button" onClick=${jump}><${Icon} name="down" />${busy.value ? "New text below" : "To the end"}</button>`}
    ${
      editing.value &&
      html`<p class="editing"><${Icon} name="edit" />Sending replaces your last message and its answer.
        <button class="btn ghost push" type="button" onClick=${() => {
          editing.value = null;
          draft.value = "";
        }}>Cancel</button></p>`
    }
    <${Composer} busy=${busy.value} onSend=${send} onStop=${stop} onEditLast=${() => {
      const last = turns.value.at(-1);
      if (last) edit(last);
    }} />
  </div>`;
}

/** Buttons inside drawn Markdown. @param {Event} event */
function onProseClick(event) {
  const button = event.target instanceof Element ? event.target.closest("[data-code]") : null;
  if (!(button instanceof HTMLElement)) return;
  const figure = /** @type {HTMLElement} */ (button.closest("figure"));
  if (button.dataset.code === "wrap-code") {
    button.setAttribute("aria-pressed", String(figure.classList.toggle("is-wrapped")));
    return;
  }
  copyText(figure.querySelector("code")?.textContent ?? "");
  const use = button.querySelector("use");
  use?.setAttribute("href", "#i-tick");
  setTimeout(() => use?.setAttribute("href", "#i-copy"), 1500);
}

/** Links inside the console change the chat without a page load. @param {MouseEvent} event */
function onNavigate(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0 || !(event.target instanceof Element)) return;
  const chat = event.target.closest("a[data-chat]");
  const fresh = event.target.closest('[data-act="new-chat"], .nav a[href="/"], .brand a');
  if (!chat && !fresh) return;
  event.preventDefault();
  if (chat instanceof HTMLAnchorElement) {
    if (chat.dataset.chat !== chatId.value) {
      history.pushState(null, "", chat.pathname);
      open(/** @type {string} */ (chat.dataset.chat));
    }
  } else startNew();
  if (byId("side").classList.contains("is-open")) /** @type {HTMLElement} */ (document.querySelector(".scrim")).click();
}

function openFromPath() {
  const id = location.pathname.match(/^\/c\/([^/]+)$/)?.[1];
  if (id) return open(id);
  draft.value = localStorage.getItem(owned("draft:new")) ?? "";
  return undefined;
}

/** Esc stops the answer, unless there is a layer above the page that it closes first. */
function stopByKey() {
  if (!busy.value || document.querySelector("dialog[open], :popover-open, .side.is-open")) return false;
  return stop();
}

function addKeys() {
  keymap.set("mod+shift+o", startNew);
  keymap.set("mod+m", openPicker);
  keymap.set("mod+.", toggleSettings);
  keymap.set("escape", stopByKey);
  shortcuts.unshift(
    ["Send", ["Enter"]],
    ["New line", ["Shift", "Enter"]],
    ["Stop the answer", ["Esc"]],
    ["Edit the last message", ["↑"]],
    ["Choose a model", ["Ctrl", "M"]],
    ["Parameters", ["Ctrl", "."]],
    ["New chat", ["Ctrl", "Shift", "O"]],
  );
}

function start() {
  startShell();
  addKeys();
  lazy.onMissing = missingModule;
  const slots = /** @type {const} */ ([
    ["model", Picker],
    ["user", UserField],
    ["foot", Foot],
    ["log", Log],
  ]);
  for (const [id, view] of slots) {
    byId(id).replaceChildren();
    render(html`<${view} />`, byId(id));
  }
  effect(() => {
    byId("title").textContent = title.value;
    document.title = `${title.value} · Gateway`;
  });
  effect(() => {
    const last = turns.value.at(-1)?.answers.at(-1)?.record?.tokens;
    contextTokens.value = (last?.prompt ?? 0) + (last?.completion ?? 0);
  });
  watchScroll();
  byId("log").addEventListener("click", onProseClick);
  document.addEventListener("click", onNavigate);
  addEventListener("popstate", () => {
    const id = location.pathname.match(/^\/c\/([^/]+)$/)?.[1];
    if (id) open(id);
    else startNew();
  });
  addEventListener("pagehide", () => {
    const coming = live.value;
    if (coming) leaveNote(coming.id, { text: coming.text + heard, requestId: answerOf(coming.id)?.requestId ?? null });
  });
  addEventListener("chat-removed", (event) => {
    if (/** @type {CustomEvent} */ (event).detail === chatId.value) abandonChat();
  });
  openFromPath();
  effect(() => {
    if (draft.value) localStorage.setItem(draftKey(), draft.value);
    else localStorage.removeItem(draftKey());
  });
  let known = "";
  effect(() => {
    const { state } = connection.value;
    const well = state === "connected" || state === "degraded";
    if (well && known !== "well") loadModels().catch(() => {});
    known = well ? "well" : "not";
  });
}

start();
