// Model output as DOM: split into blocks, each parsed and sanitised once, frozen when closed.
import { DOMPurify, Lexer, Marked } from "../vendor/prose.js";

/** @typedef {import("../vendor/prose.js").Token} Token
 * @typedef {{ type: string, raw: string, token: Token, links: any }} Block */

const escaped = (/** @type {string} */ text) => text.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);

const SAFE_LINK = /^(?:https?:|mailto:)/i;

const marked = new Marked({
  gfm: true,
  tokenizer: {
    // Raw HTML is text.
    html: () => undefined,
    tag: () => undefined,
  },
  renderer: {
    link({ href, tokens }) {
      const words = this.parser.parseInline(tokens);
      return SAFE_LINK.test(href) ? `<a href="${escaped(href)}">${words}</a>` : `${words} (${escaped(href)})`;
    },
    image: ({ href, text }) =>
      SAFE_LINK.test(href) ? `<a class="remote-image" href="${escaped(href)}">${escaped(text || href)}</a>` : escaped(text),
    checkbox: ({ checked }) => `<span class="task">${checked ? "☑" : "☐"}</span> `,
  },
});

/** What stands between the marks of a formula; an amount such as $5 is none.
 * @type {[RegExp, boolean][]} the second: whether it stands on lines of its own */
const FORMULAS = [
  [/^\$\$\s*([^$]+?)\s*\$\$/, true],
  [/^\\\[\s*([\s\S]+?)\s*\\\]/, true],
  [/^\\\(\s*(.+?)\s*\\\)/, false],
  [/^\$(?!\s)([^$\n]*?[^$\s\\])\$(?![\d\w])/, false],
];

/** @param {string} source */
function formulaAt(source) {
  for (const [pattern, isDisplay] of FORMULAS) {
    const match = pattern.exec(source);
    if (match) return { type: "formula", raw: match[0], text: match[1], isDisplay };
  }
}

/** @param {any} token */
const formulaHtml = ({ text, isDisplay }) => `<span class="formula${isDisplay ? " display" : ""}">${escaped(text)}</span>`;

marked.use({
  extensions: [
    {
      name: "formula",
      level: "inline",
      start: (source) => /\$|\\[([]/.exec(source)?.index,
      tokenizer: formulaAt,
      renderer: formulaHtml,
    },
    {
      name: "formulas",
      level: "block",
      start: (source) => /^(?:\$\$|\\\[)/m.exec(source)?.index,
      tokenizer(source) {
        const found = /^ {0,3}(?:\$\$|\\\[)/.test(source) ? formulaAt(source.trimStart()) : undefined;
        const end = found && source.length - source.trimStart().length + found.raw.length;
        return end && /^[ \t]*(?:\n+|$)/.test(source.slice(end)) ? { ...found, type: "formulas", raw: source.slice(0, end) } : undefined;
      },
      renderer: (token) => `<p>${formulaHtml(token)}</p>`,
    },
  ],
});

const options = { ...marked.defaults };

/** Splits a growing text into blocks. A block is closed once what follows can no longer change it. */
export class BlockSplitter {
  /** @type {Block[]} */
  blocks = [];
  #offset = 0;
  #closed = 0;
  #text = "";
  /** @type {Record<string, any>} */
  #links = {};
  #linksSeen = "{}";

  /** @param {string} text all of it so far @returns {number} the first block that changed, or the number of blocks */
  update(text) {
    if (!text.startsWith(this.#text.slice(0, this.#offset))) this.#restart();
    this.#text = text;
    const tokens = this.#lex(text.slice(this.#offset));
    const links = { ...this.#links, .../** @type {any} */ (tokens).links };
    const kept = this.blocks.slice(0, this.#closed);
    const seen = JSON.stringify(links);
    const changed = seen === this.#linksSeen ? this.#closed : this.#firstReference(kept);
    this.#linksSeen = seen;
    for (const block of kept.slice(changed)) kept[kept.indexOf(block)] = { ...block, links };
    const grown = tokens.filter((token) => token.type !== "space" && token.type !== "def");
    this.blocks = [...kept, ...grown.map((token) => ({ type: token.type, raw: token.raw, token, links }))];
    this.#close(tokens);
    return changed;
  }

  #restart() {
    this.#offset = 0;
    this.#closed = 0;
    this.#links = {};
  }

  /** @param {string} source */
  #lex(source) {
    const lexer = new Lexer(options);
    Object.assign(lexer.tokens.links, this.#links);
    return lexer.lex(source);
  }

  /** @param {Block[]} blocks */
  #firstReference(blocks) {
    const first = blocks.findIndex((block) => block.type !== "code" && /\[[^\]]*\]/.test(block.raw));
    return first < 0 ? blocks.length : first;
  }

  /** Blocks before the last two can no longer grow: a list may go on after a blank line, and its next marker may be half there.
   * @param {Token[]} tokens */
  #close(tokens) {
    const solid = tokens.flatMap((token, at) => (token.type === "space" ? [] : [at]));
    const keepFrom = solid.at(-2) ?? 0;
    for (const token of tokens.slice(0, keepFrom)) {
      this.#offset += token.raw.length;
      if (token.type === "def") this.#links[token.tag] ??= { href: token.href, title: token.title };
      else if (token.type !== "space") this.#closed += 1;
    }
  }
}

const PURIFY = {
  RETURN_DOM_FRAGMENT: /** @type {const} */ (true),
  ALLOWED_TAGS: [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
  ],
  ALLOWED_ATTR: ["href", "class", "start", "align"],
  ALLOWED_URI_REGEXP: SAFE_LINK,
  ADD_URI_SAFE_ATTR: ["align", "start"],
};

/** @param {Block} block @returns {DocumentFragment} */
function fragmentOf(block) {
  const tokens = Object.assign([block.token], { links: block.links });
  const inlined = Object.keys(block.links).length && /\[/.test(block.raw) ? relexed(block) : tokens;
  return DOMPurify.sanitize(marked.parser(inlined), PURIFY);
}

/** Inline tokens are made with the links known at that time; make them again with those known now. @param {Block} block */
function relexed(block) {
  const lexer = new Lexer(options);
  Object.assign(lexer.tokens.links, block.links);
  return lexer.lex(block.raw);
}

/** Called when a lazy import fails; the page sets it. @type {{ onMissing: (error: unknown) => void }} */
export const lazy = { onMissing: () => {} };

/** Draws a growing text into an element, block by block; text once drawn in a closed block is never touched again. */
export class MarkdownView {
  #splitter = new BlockSplitter();
  /** @type {{ raw: string, links: any, place: HTMLElement }[]} */
  #drawn = [];
  #ended = false;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
  }

  /** @param {string} text all of it so far */
  update(text) {
    if (this.#ended) return;
    const from = this.#splitter.update(text);
    this.#draw(from);
  }

  /** The last form: everything lexed at once, so that the result does not depend on how the text came. @param {string} text */
  end(text) {
    this.#splitter = new BlockSplitter();
    this.#splitter.update(text);
    this.#draw(0);
    this.#ended = true;
    this.#finish(".formula", async (formulas) => (await import("./maths.js")).drawFormulas(formulas));
    this.#finish("pre > code", async (codes) => (await import("./highlight.js")).highlight(codes));
  }

  /** What only a finished text gets, and what only some texts need. @param {string} selector @param {(found: NodeListOf<HTMLElement>) => Promise<void>} work */
  #finish(selector, work) {
    const found = /** @type {NodeListOf<HTMLElement>} */ (this.root.querySelectorAll(selector));
    if (found.length) work(found).catch(lazy.onMissing);
  }

  /** @param {number} from */
  #draw(from) {
    const { blocks } = this.#splitter;
    for (let at = from; at < blocks.length; at += 1) this.#drawBlock(at, blocks[at]);
    for (const gone of this.#drawn.splice(blocks.length)) gone.place.remove();
  }

  /** @param {number} at @param {Block} block */
  #drawBlock(at, block) {
    const drawn = this.#drawn[at];
    if (drawn && drawn.raw === block.raw && sameLinks(drawn.links, block)) return;
    if (drawn && block.type === "code" && growCode(drawn.place, block)) {
      drawn.raw = block.raw;
      return;
    }
    const place = drawn?.place ?? document.createElement("div");
    place.className = "block";
    const fragment = fragmentOf(block);
    dress(fragment, block);
    place.replaceChildren(fragment);
    if (!drawn) this.root.append(place);
    this.#drawn[at] = { raw: block.raw, links: block.links, place };
  }
}

/** @param {any} before @param {Block} block */
const sameLinks = (before, block) => !/\[/.test(block.raw) || JSON.stringify(before) === JSON.stringify(block.links);

/** Add what came to a code block that is open, without drawing it anew. @param {HTMLElement} place @param {Block} block */
function growCode(place, block) {
  const code = place.querySelector("pre > code");
  const token = /** @type {any} */ (block.token);
  const language = code?.closest("figure")?.dataset.language;
  if (!code || language === undefined || language !== languageOf(token.lang) || code.childElementCount) return false;
  const text = /** @type {Text | null} */ (code.firstChild);
  if (text && token.text.startsWith(text.data)) text.appendData(token.text.slice(text.data.length));
  else code.textContent = token.text;
  return true;
}

/** @param {string | undefined} info */
const languageOf = (info) => (info ?? "").trim().split(/\s/)[0].toLowerCase();

/** Everything that Markdown itself has no words for. @param {DocumentFragment} fragment @param {Block} block */
function dress(fragment, block) {
  for (const link of fragment.querySelectorAll("a")) {
    link.rel = "noopener noreferrer nofollow";
    link.target = "_blank";
    if (link.classList.contains("remote-image")) dressImage(link);
  }
  for (const table of fragment.querySelectorAll("table")) table.replaceWith(scrollable(table));
  for (const pre of fragment.querySelectorAll("pre")) pre.replaceWith(codeFigure(pre, /** @type {any} */ (block.token)));
}

/** @template {keyof HTMLElementTagNameMap} K @param {K} name @param {string} className @param {(Node | string)[]} children */
function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** @param {HTMLTableElement} table */
function scrollable(table) {
  const region = element("div", "table-scroll");
  region.tabIndex = 0;
  region.setAttribute("role", "group");
  region.setAttribute("aria-label", "Table");
  const copy = /** @type {HTMLTableElement} */ (table.cloneNode(true));
  region.append(copy);
  return region;
}

/** Nothing is fetched before the reader asks; the page itself may load no picture from elsewhere, so it opens in a tab.
 * @param {HTMLAnchorElement} link */
function dressImage(link) {
  link.replaceChildren(iconOf("image"), `Load image: ${link.textContent} (${link.host})`);
}

/** @param {HTMLPreElement} pre @param {{ lang?: string }} token */
function codeFigure(pre, token) {
  const code = pre.querySelector("code") ?? pre;
  const name = code.className.replace("language-", "");
  const language = languageOf(token.lang) || name;
  const head = element("figcaption", "", element("span", "", language || "text"));
  head.append(codeButton("Copy", "copy-code", "copy"), codeButton("Wrap", "wrap-code", "wrap"));
  const source = element("code", "", (code.textContent ?? "").replace(/\n$/, ""));
  const body = element("pre", "", source);
  body.tabIndex = 0;
  const figure = element("figure", "code", head, body);
  figure.dataset.language = language;
  return figure;
}

/** @param {string} words @param {string} act @param {string} icon */
function codeButton(words, act, icon) {
  const button = element("button", "btn ghost small", words);
  button.type = "button";
  button.dataset.code = act;
  button.prepend(iconOf(icon));
  return button;
}

/** @param {string} name */
function iconOf(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}
