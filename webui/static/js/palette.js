// The command palette: pages, actions, models and chats, by a few letters.
import { html, Icon, openDialog, useEffect, useState } from "./core.js";
import { contextSize } from "./format.js";
import { choose, fit, loadModels, models, priceWords } from "./picker.js";
import { nextTheme, shortcuts, showHelp } from "./shell.js";
import { chats, findChats } from "./store.js";

/** @typedef {{ id: string, group: "Actions" | "Pages" | "Chats" | "Models", icon: string, words: string, more?: string, act: () => void }} Entry */

/** What a page adds. @type {Entry[]} */
export const pageActions = [];
const MOST_OF_GROUP = 6;
const SEARCH_AFTER_MS = 120;
const MOD = shortcuts.some(([, keys]) => keys[0] === "⌘") ? "⌘" : "Ctrl";

/** @param {string} path */
const go = (path) => () => location.assign(path);

/** @returns {Entry[]} */
function pages() {
  return [...document.querySelectorAll(".nav a")].map((link) => {
    const path = link.getAttribute("href") ?? "/";
    return { id: `page${path}`, group: "Pages", icon: iconOf(link), words: link.textContent?.trim() ?? path, act: go(path) };
  });
}

/** @param {Element} link */
const iconOf = (link) => link.querySelector("use")?.getAttribute("href")?.replace("#i-", "") ?? "right";

/** @returns {Entry[]} */
const actions = () => [
  { id: "new", group: "Actions", icon: "plus", words: "New chat", more: `${MOD} ⇧ O`, act: go("/") },
  ...pageActions,
  { id: "theme", group: "Actions", icon: "auto", words: "Change the theme", act: nextTheme },
  { id: "keys", group: "Actions", icon: "keys", words: "Keyboard shortcuts", more: `${MOD} /`, act: showHelp },
];

/** @returns {Entry[]} */
const modelEntries = () =>
  models.value
    .filter((one) => one.callable)
    .map((one) => ({
      id: `model${one.id}`,
      group: "Models",
      icon: "spark",
      words: one.id,
      more: `${priceWords(one)}${one.context_window ? ` · ${contextSize(one.context_window)}` : ""}`,
      act: () => {
        choose(one.id);
        if (document.body.dataset.page !== "chat") location.assign("/");
      },
    }));

/** @param {import("./store.js").Meta[]} list @returns {Entry[]} */
const chatEntries = (list) =>
  list.map((chat) => ({
    id: `chat${chat.id}`,
    group: "Chats",
    icon: "chat",
    words: chat.title,
    more: chat.snippet ?? "",
    act: go(`/c/${chat.id}`),
  }));

/** The best of each group; the group with the best of all first. @param {Entry[]} entries @param {string} query */
export function ranked(entries, query) {
  const scored = entries.flatMap((entry) => {
    const score = query.trim() ? fit(entry.words, query) : 0;
    return score === null ? [] : [{ entry, score }];
  });
  const groups = /** @type {const} */ (["Actions", "Pages", "Chats", "Models"]).map((group) =>
    scored
      .filter(({ entry }) => entry.group === group)
      .sort((a, b) => b.score - a.score)
      .slice(0, MOST_OF_GROUP),
  );
  return groups.sort((a, b) => (b[0]?.score ?? 0) - (a[0]?.score ?? 0)).flatMap((group) => group.map(({ entry }) => entry));
}

/** @param {{ close: () => void }} props */
function Palette({ close }) {
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const [found, setFound] = useState(/** @type {import("./store.js").Meta[]} */ ([]));
  useEffect(() => {
    if (!models.value.length) loadModels().catch(() => {});
  }, []);
  useEffect(() => {
    setFound([]);
    if (!query.trim()) return undefined;
    const timer = setTimeout(() => findChats(query).then(setFound, () => {}), SEARCH_AFTER_MS);
    return () => clearTimeout(timer);
  }, [query]);
  /** @param {string} words */
  const fitting = (words) => ranked([...actions(), ...pages(), ...chatEntries(chats.value), ...modelEntries()], words);
  const titles = fitting(query);
  const known = new Set(titles.map(({ id }) => id));
  const inText = chatEntries(found)
    .filter(({ id }) => !known.has(id))
    .slice(0, MOST_OF_GROUP);
  const entries = [...titles, ...inText];
  const chosen = Math.min(active, entries.length - 1);
  /** @param {Entry | undefined} entry */
  const take = (entry) => {
    if (!entry) return;
    close();
    entry.act();
  };
  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      const to = (chosen + step + entries.length) % entries.length;
      setActive(to);
      document.getElementById(`command-${to}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      // Enter may come before what was typed is drawn.
      const typed = /** @type {HTMLInputElement} */ (event.currentTarget).value;
      take(typed === query ? entries[chosen] : fitting(typed)[0]);
    }
  };
  return html`<div class="palette">
    <div class="palette-head"><${Icon} name="search" />
      <input autofocus type="text" role="combobox" aria-label="Search chats, models, pages and commands" aria-expanded="true" aria-controls="commands"
        aria-autocomplete="list" aria-activedescendant=${entries.length ? `command-${chosen}` : null} placeholder="Chats, models, pages, commands" autocomplete="off"
        spellcheck=${false} value=${query} onKeyDown=${onKey} onInput=${(/** @type {any} */ event) => {
          setQuery(event.target.value);
          setActive(0);
        }} /></div>
    <div class="palette-list" id="commands" role="listbox" aria-label="What fits" tabindex="-1">
      ${entries.map(
        (
          entry,
          index,
        ) => html`<div key=${entry.id} id=${`command-${index}`} class="command" role="option" aria-selected=${index === chosen} onClick=${() => take(entry)}>
          <${Icon} name=${entry.icon} /><span class="command-words">${entry.words}</span><span class="command-more">${entry.more}</span>
          <span class="caption">${entries[index - 1]?.group === entry.group ? "" : entry.group}</span></div>`,
      )}
    </div>
    ${entries.length === 0 && html`<p class="hint" role="status">Nothing fits.</p>`}
  </div>`;
}

export function showPalette() {
  openDialog("Search and commands", (close) => html`<${Palette} close=${close} />`);
}
