// What every page has: theme, drawer, list of chats, connection, help, toasts.
import { ApiError, askWhoIAm, getJson, me } from "./api.js";
import { announce, byId, computed, effect, html, Icon, openDialog, render, signal, toast, useEffect, useState } from "./core.js";
import { cost, DASH, duration } from "./format.js";
import { chats, findChats, forgetHere, keptIn, nextChats, olderChats, refreshChats, removeChat, sendUnsent } from "./store.js";

// ---------------------------------------------------------------- connection

const POLL_MS = 4000;
const BACKOFF_S = [1, 2, 4, 8, 15];
const OFFLINE_AFTER = 3;
const PROBE_TIMEOUT_MS = 3000;

/** @typedef {"connecting" | "connected" | "degraded" | "reconnecting" | "offline"} State */

/** How the API service is doing, for everybody to read. */
export const connection = signal({
  state: /** @type {State} */ ("connecting"),
  latencyMs: /** @type {number | null} */ (null),
  reason: "",
  retryAt: 0,
  health: /** @type {any} */ (null),
});
export const canSend = computed(() => ["connected", "degraded", "connecting"].includes(connection.value.state));

const clock = signal(Date.now());
/** @type {number[]} */
const latencies = [];
let failures = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let probing = false;

/** Ask now: after a failed call, on focus, when the network is back. */
export async function probe() {
  if (probing) return;
  probing = true;
  clearTimeout(timer);
  const began = performance.now();
  try {
    const health = await getJson("/health", { timeoutMs: PROBE_TIMEOUT_MS });
    failures = 0;
    latencies.push(performance.now() - began);
    if (latencies.length > 5) latencies.shift();
    const unwell = Object.entries(health.parts ?? {}).filter(([, part]) => !["ok", "idle"].includes(part.status));
    connection.value = {
      state: health.status === "healthy" ? "connected" : "degraded",
      latencyMs: latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length / 2)],
      reason: unwell.map(([name, part]) => `${name.replaceAll("_", " ")}: ${part.reason ?? part.status}`).join("; "),
      retryAt: 0,
      health,
    };
  } catch (error) {
    failures += 1;
    latencies.length = 0;
    const waitMs = BACKOFF_S[Math.min(failures, BACKOFF_S.length) - 1] * (900 + Math.random() * 200);
    connection.value = {
      state: failures >= OFFLINE_AFTER || !navigator.onLine ? "offline" : "reconnecting",
      latencyMs: null,
      reason: error instanceof ApiError ? error.message : String(error),
      retryAt: Date.now() + waitMs,
      health: null,
    };
  }
  probing = false;
  schedule();
}

function schedule() {
  clearTimeout(timer);
  if (document.hidden) return;
  const { retryAt } = connection.value;
  timer = setTimeout(probe, retryAt ? Math.max(0, retryAt - Date.now()) : POLL_MS);
}

/** @type {Record<State, string>} */
const WORDS = {
  connecting: "Connecting",
  connected: "API connected",
  degraded: "API degraded",
  reconnecting: "Reconnecting",
  offline: "API offline",
};

function Pill() {
  const { state, latencyMs, reason, retryAt } = connection.value;
  const seconds = Math.max(1, Math.ceil((retryAt - clock.value) / 1000));
  const figure = retryAt ? `in ${seconds} s` : latencyMs == null ? "" : duration(Math.max(0.001, latencyMs / 1000));
  return html`<span class="pill-status" data-state=${state} data-testid="connection" title=${reason || null}>
    <span class="dot"></span><span class="pill-words">${WORDS[state]}</span>${figure && html`<span class="num">${figure}</span>`}
  </span>`;
}

function ConnectionBar() {
  const { state, reason } = connection.value;
  if (state === "degraded") return html`<p class="bar"><strong>The API service is degraded.</strong> ${reason}</p>`;
  if (state !== "offline") return null;
  return html`<p class="bar" data-testid="offline-bar">
    <span><strong>The API service does not answer.</strong> ${reason} What you type is kept.</span>
    <button class="btn ghost push" type="button" onClick=${probe}>Try now</button>
  </p>`;
}

/** @type {Record<State, string>} */
const SAID = {
  connecting: "",
  connected: "API connected",
  degraded: "API degraded",
  reconnecting: "Connection to the API lost, reconnecting",
  offline: "API offline",
};

function watchConnection() {
  render(html`<${Pill} />`, emptied("pill"));
  let said = "";
  effect(() => {
    const { state, reason } = connection.value;
    if (SAID[state] === said) return;
    said = SAID[state];
    if (said) announce(state === "degraded" ? `${said}: ${reason}` : said, "announce-connection");
  });
  setInterval(() => {
    if (connection.value.retryAt) clock.value = Date.now();
  }, 500);
  let isWell = false;
  effect(() => {
    const { state } = connection.value;
    const wasWell = isWell;
    isWell = state === "connected" || state === "degraded";
    if (isWell && !wasWell) refreshChats().then(sendUnsent);
  });
  addEventListener("online", probe);
  addEventListener("focus", () => connection.value.retryAt && probe());
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : probe()));
  probe();
}

// ------------------------------------------------------------- a new version

const outdated = signal(false);

/** Whether a failed lazy import means that the server has moved on; shows the bar. @param {unknown} error */
export function missingModule(error) {
  outdated.value = true;
  return error;
}

addEventListener("outdated", () => {
  outdated.value = true;
});

function VersionBar() {
  if (!outdated.value) return null;
  return html`<p class="bar" role="alert">
    <strong>There is a new version of this console.</strong>
    <button class="btn ghost" type="button" onClick=${() => location.reload()}>Reload</button>
  </p>`;
}

// ---------------------------------------------------------------------- theme

const THEMES = /** @type {const} */ (["system", "light", "dark"]);
const THEME_ICONS = { system: "auto", light: "sun", dark: "moon" };

function currentTheme() {
  const set = document.documentElement.dataset.theme;
  return set === "light" || set === "dark" ? set : "system";
}

function showTheme() {
  const theme = currentTheme();
  const name = theme[0].toUpperCase() + theme.slice(1);
  for (const button of document.querySelectorAll('[data-act="theme"]')) {
    button.querySelector("use")?.setAttribute("href", `#i-${THEME_ICONS[theme]}`);
    button.setAttribute("aria-label", `Theme: ${name}`);
    const label = button.querySelector("[data-theme-name]");
    if (label) label.textContent = name;
  }
}

export function nextTheme() {
  const theme = THEMES[(THEMES.indexOf(currentTheme()) + 1) % THEMES.length];
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const age = theme === "system" ? 0 : 31_536_000;
  // biome-ignore lint/suspicious/noDocumentCookie: the server reads it to paint the right theme at once; cookieStore needs HTTPS
  document.cookie = `theme=${theme}; path=/; max-age=${age}; samesite=lax`;
  showTheme();
  dispatchEvent(new Event("themechange"));
}

// ------------------------------------------------------------ drawer, history

/** @param {boolean} open */
function showSide(open) {
  byId("side").classList.toggle("is-open", open);
  const scrim = /** @type {HTMLElement} */ (document.querySelector(".scrim"));
  scrim.hidden = !open;
  byId("main").inert = open;
  const opener = /** @type {HTMLElement} */ (document.querySelector('[data-act="open-side"]'));
  opener.setAttribute("aria-expanded", String(open));
  const target = open ? document.querySelector('[data-act="close-side"].btn') : opener;
  if (target instanceof HTMLElement) target.focus();
}

const isOpen = () => byId("side").classList.contains("is-open");

const DAY_MS = 86_400_000;

/** @param {number} atMs @param {number} nowMs */
function dayOf(atMs, nowMs) {
  const midnight = new Date(nowMs).setHours(0, 0, 0, 0);
  if (atMs >= midnight) return "Today";
  if (atMs >= midnight - DAY_MS) return "Yesterday";
  return atMs >= midnight - 7 * DAY_MS ? "Last 7 days" : "Earlier";
}

/** @param {import("./store.js").Meta} chat */
function costOf(chat) {
  if (!chat.requests) return DASH;
  if (chat.costNano == null) return "not priced";
  return (chat.unpriced ? "≥ " : "") + cost(chat.costNano / 1e9);
}

const UNDO_MS = 8000;

/** Delete a chat; for some seconds that can be taken back. @param {import("./store.js").Meta} chat */
export function deleteChat(chat) {
  dispatchEvent(new CustomEvent("chat-removed", { detail: chat.id }));
  const { undo, forGood } = removeChat(chat.id);
  const timer = setTimeout(forGood, UNDO_MS);
  const onAction = () => {
    clearTimeout(timer);
    undo();
  };
  toast(`“${chat.title}” deleted`, { action: "Undo", onAction, forMs: UNDO_MS });
}

/** Ask for a new title. @param {import("./store.js").Meta} chat */
export async function askTitle(chat) {
  const { showRename } = await import("./rename.js").catch((error) => Promise.reject(missingModule(error)));
  showRename(chat);
}

/** @type {import("./core.js").Signal<string | null>} */
export const openChat = signal(null);
const words = signal("");

/** @param {{ chat: import("./store.js").Meta }} props */
const ChatRow = ({ chat }) => html`<li>
  <a href=${`/c/${chat.id}`} data-chat=${chat.id} aria-current=${chat.id === openChat.value ? "page" : null}>
    <span class="chat-title">${chat.title}</span><span class="num">${costOf(chat)}</span>
    ${chat.snippet && html`<span class="snippet">${chat.snippet}</span>`}
  </a>
  <span class="chat-acts">
    <button class="btn ghost icon-only" type="button" aria-label=${`Rename “${chat.title}”`} title="Rename" onClick=${() => askTitle(chat)}><${Icon} name="edit" /></button>
    <button class="btn ghost icon-only" type="button" aria-label=${`Delete “${chat.title}”`} title="Delete" onClick=${() => deleteChat(chat)}><${Icon} name="trash" /></button>
  </span>
</li>`;

function SearchField() {
  return html`<label class="chat-search"><span class="sr">Search chats</span><${Icon} name="search" />
    <input type="search" placeholder="Search chats" autocomplete="off" value=${words.value} onInput=${(/** @type {any} */ event) => {
      words.value = event.target.value;
    }} /></label>`;
}

const SEARCH_AFTER_MS = 150;

/** The chats that were found, or why none. */
function Found() {
  const [found, setFound] = useState(/** @type {import("./store.js").Meta[] | "failed" | null} */ (null));
  const wanted = words.value.trim();
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => {
      findChats(wanted).then(
        (list) => isCurrent && setFound(list),
        () => isCurrent && setFound("failed"),
      );
    }, SEARCH_AFTER_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [wanted, chats.value]);
  if (found === null) return html`<p class="caption" role="status">Searching…</p>`;
  if (found === "failed") return html`<p class="caption" role="status">The search did not work: the API service does not answer.</p>`;
  return html`<p class="caption" role="status">${found.length ? `${found.length === 1 ? "1 chat" : `${found.length} chats`} found` : "No chat has these words."}</p>
    <ul class="chats" aria-label="Chats found">${found.map((chat) => html`<${ChatRow} key=${chat.id} chat=${chat} />`)}</ul>`;
}

function Days() {
  const now = Date.now();
  const days = Map.groupBy(chats.value, (chat) => dayOf(chat.updatedAt, now));
  return html`${[...days].map(
    ([day, list]) => html`<p class="caption" key=${day}>${day}</p>
      <ul class="chats" aria-label=${day}>${list.map((chat) => html`<${ChatRow} key=${chat.id} chat=${chat} />`)}</ul>`,
  )}
  ${nextChats.value && html`<button class="btn ghost" type="button" onClick=${olderChats}>Older chats</button>`}`;
}

function History() {
  if (!chats.value.length && !words.value)
    return html`<p class="caption">Chats appear here. They are kept ${keptIn.value === "browser" ? "in this browser" : "by the API service"}.</p>`;
  return html`<${SearchField} />${words.value.trim() ? html`<${Found} />` : html`<${Days} />`}`;
}

// ------------------------------------------------------------------------- keys

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const MOD = IS_MAC ? "⌘" : "Ctrl";

/** What the help lists; a page adds its own. @type {[string, string[]][]} */
export const shortcuts = [
  [`Search and commands`, [MOD, "K"]],
  [`Show or hide the navigation`, [MOD, "B"]],
  [`This list`, [MOD, "/"]],
];

export function showHelp() {
  if (document.querySelector("dialog[open]")) return;
  openDialog(
    "Keyboard",
    () => html`<dl class="shortcuts">
      ${shortcuts.map(([what, keys]) => html`<dt>${what}</dt><dd>${keys.map((key) => html`<kbd>${key}</kbd>`)}</dd>`)}
    </dl>`,
  );
}

/** Chord → what it does; "mod" is Ctrl, or Command on a Mac. One that gives false leaves the key alone.
 * @type {Map<string, () => unknown>} */
export const keymap = new Map([
  ["mod+k", openPalette],
  ["mod+/", showHelp],
  ["mod+b", toggleSide],
]);

async function openPalette() {
  if (document.querySelector("dialog[open]")) return;
  const { showPalette } = await import("./palette.js").catch((error) => Promise.reject(missingModule(error)));
  showPalette();
}

function toggleSide() {
  if (matchMedia("(max-width: 760px)").matches) showSide(!isOpen());
  else document.querySelector(".app")?.classList.toggle("is-wide");
}

/** @param {KeyboardEvent} event */
export function chordOf(event) {
  const mod = IS_MAC ? event.metaKey : event.ctrlKey;
  return [mod && "mod", event.shiftKey && "shift", event.altKey && "alt", event.key?.toLowerCase()].filter(Boolean).join("+");
}

/** @type {Record<string, () => void>} */
const ACTS = {
  theme: nextTheme,
  palette: openPalette,
  help: showHelp,
  "open-side": () => showSide(true),
  "close-side": () => showSide(false),
};

/** @param {string} id */
function emptied(id) {
  const place = byId(id);
  place.replaceChildren();
  return place;
}

/** Keep name and role in the navigation as they are now. */
function watchMe() {
  effect(() => {
    const [name, role] = document.querySelectorAll(".who-name, .who-role");
    if (!me.value || !name || !role) return;
    if (me.value.name) name.textContent = me.value.name;
    role.textContent = me.value.role;
  });
  askWhoIAm();
}

/** Start the shell; each page's module calls it once. */
export function startShell() {
  showTheme();
  watchMe();
  watchConnection();
  render(html`<${VersionBar} /><${ConnectionBar} />`, emptied("bars"));
  render(html`<${History} />`, emptied("history"));
  document.querySelector("form.who")?.addEventListener("submit", forgetHere);
  document.addEventListener("click", (event) => {
    const act = event.target instanceof Element ? event.target.closest("[data-act]") : null;
    if (act instanceof HTMLElement) ACTS[act.dataset.act ?? ""]?.();
  });
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape" && isOpen()) {
      showSide(false);
      return;
    }
    const act = keymap.get(chordOf(event));
    if (act && act() !== false) event.preventDefault();
  });
}
