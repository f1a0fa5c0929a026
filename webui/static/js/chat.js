// The chat page: its parts in their places, scrolling, keys.
import { mayCall, me } from "./api.js";
import { Composer, contextTokens, draft, toggleSettings, UserField } from "./composer.js";
import { byId, copyText, effect, html, Icon, render, signal } from "./core.js";
import { contextSize, rate } from "./format.js";
import { lazy } from "./markdown.js";
import { Turns } from "./messages.js";
import { loaded, loadModels, missing, model, models, openPicker, Picker } from "./picker.js";
import { connection, keymap, missingModule, shortcuts, startShell } from "./shell.js";
import { keptIn, leaveNote, owned } from "./store.js";
import {
  abandonChat,
  busy,
  chatId,
  draftKey,
  edit,
  editing,
  givenTitle,
  on,
  open,
  opening,
  send,
  startNew,
  stop,
  title,
  turns,
  unkept,
} from "./talk.js";

const acts = { chooseModel: openPicker, openParameters: toggleSettings, startNew };

on.asked = () => {
  following = true;
  scrollToEnd();
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
    <p class="hint">${keptIn.value === "browser" ? "Chats stay in this browser." : "Chats are kept by the API service, for you alone."} The API service records each request: its figures always, ${me.value?.store_content === false ? "but not its text, as your key says." : "its text unless STORE_CONTENT=false."}</p>
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
      html`<p class="editing"><${Icon} name="edit" />Sending adds another wording; the old one and its answers stay beside it.
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

/** @param {{ currentTarget: HTMLElement }} event */
async function openMenu({ currentTarget }) {
  const { showChatMenu } = await import("./chatmenu.js").catch((error) => Promise.reject(missingModule(error)));
  showChatMenu(currentTarget);
}

const Menu = () =>
  html`<button class="btn ghost icon-only" id="menu-button" type="button" aria-label="This chat" title="This chat" aria-haspopup="dialog" onClick=${openMenu}><${Icon} name="more" /></button>`;

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
    ["menu", Menu],
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
    for (const [id, heard] of unkept()) leaveNote(id, heard);
  });
  addEventListener("chat-removed", (event) => {
    if (/** @type {CustomEvent} */ (event).detail === chatId.value) abandonChat();
  });
  addEventListener("chat-renamed", (event) => {
    const { id, title: given } = /** @type {CustomEvent} */ (event).detail;
    if (id === chatId.value) givenTitle.value = given;
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
