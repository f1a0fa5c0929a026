// Colours for finished code blocks; each language is loaded when it is first seen.
import { DOMPurify } from "../vendor/prose.js";

/** @type {Record<string, string>} */
const ALIASES = {
  sh: "bash",
  shell: "bash",
  zsh: "bash",
  console: "bash",
  "c++": "cpp",
  "c#": "csharp",
  cs: "csharp",
  golang: "go",
  html: "xml",
  svg: "xml",
  toml: "ini",
  js: "javascript",
  jsx: "javascript",
  mjs: "javascript",
  kt: "kotlin",
  make: "makefile",
  md: "markdown",
  py: "python",
  rb: "ruby",
  rs: "rust",
  ts: "typescript",
  tsx: "typescript",
  yml: "yaml",
  patch: "diff",
  docker: "dockerfile",
  psql: "sql",
  postgresql: "sql",
};
const LANGUAGES = new Set(
  (
    "bash c cpp csharp css diff dockerfile go graphql ini java javascript json kotlin lua makefile markdown php python r ruby rust scala sql " +
    "swift typescript xml yaml"
  ).split(" "),
);
const MOST_HIGHLIGHTED = 60_000;

/** @param {Iterable<HTMLElement>} codes */
export async function highlight(codes) {
  for (const code of codes) {
    const stated = code.closest("figure")?.dataset.language ?? "";
    const name = ALIASES[stated] ?? stated;
    const source = code.textContent ?? "";
    if (LANGUAGES.has(name) && source.length <= MOST_HIGHLIGHTED) await colour(code, name, source);
  }
}

/** @param {HTMLElement} code @param {string} name @param {string} source */
async function colour(code, name, source) {
  const [{ default: hljs }, { default: language }] = await Promise.all([
    import("../vendor/hljs/core.js"),
    import(`../vendor/hljs/lang/${name}.js`),
  ]);
  if (!hljs.getLanguage(name)) hljs.registerLanguage(name, language);
  const { value } = hljs.highlight(source, { language: name, ignoreIllegals: true });
  const coloured = DOMPurify.sanitize(value, { RETURN_DOM_FRAGMENT: true, ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"] });
  if (coloured.textContent === source) code.replaceChildren(coloured);
}
