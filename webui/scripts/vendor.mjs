// Bundles each library into one ES module under static/vendor and records what it came from.
// Run `npm ci && npm run vendor`; CI runs it too and wants an empty `git diff`.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const ROOT = new URL("../", import.meta.url).pathname;
const OUT = `${ROOT}static/vendor/`;
const LANGUAGES = [
  "bash",
  "c",
  "cpp",
  "csharp",
  "css",
  "diff",
  "dockerfile",
  "go",
  "graphql",
  "ini",
  "java",
  "javascript",
  "json",
  "kotlin",
  "lua",
  "makefile",
  "markdown",
  "php",
  "python",
  "r",
  "ruby",
  "rust",
  "scala",
  "sql",
  "swift",
  "typescript",
  "xml",
  "yaml",
];
const BUNDLES = {
  "preact-htm-signals.js": {
    packages: ["preact", "htm", "@preact/signals", "@preact/signals-core"],
    source: `export { h, render, Fragment, createRef } from "preact";
export { useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useId } from "preact/hooks";
export { html } from "htm/preact";
export { signal, computed, effect, batch, untracked, useSignal, useComputed, useSignalEffect } from "@preact/signals";`,
  },
  "prose.js": {
    packages: ["marked", "dompurify"],
    source: `export { Marked, Lexer } from "marked"; export { default as DOMPurify } from "dompurify";`,
  },
  "temml.js": { packages: ["temml"], source: `export { default } from "temml";` },
  "uplot.js": { packages: ["uplot"], source: `export { default } from "uplot";` },
  "hljs/core.js": { packages: ["highlight.js"], source: `export { default } from "highlight.js/lib/core";` },
  ...Object.fromEntries(
    LANGUAGES.map((name) => [
      `hljs/lang/${name}.js`,
      { packages: ["highlight.js"], source: `export { default } from "highlight.js/lib/languages/${name}";` },
    ]),
  ),
};
// What tsc reads in place of the bundles.
const TYPES = {
  "preact-htm-signals.d.ts": `export { createRef, Fragment, h, render } from "preact";
export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
export { batch, computed, effect, signal, untracked, useComputed, useSignal, useSignalEffect } from "@preact/signals";
export type { ReadonlySignal, Signal } from "@preact/signals";
export function html(strings: TemplateStringsArray, ...values: unknown[]): import("preact").VNode<any>;
`,
  "prose.d.ts": `export { default as DOMPurify } from "dompurify";\nexport { Lexer, Marked } from "marked";\nexport type { Token, Tokens, TokensList } from "marked";\n`,
  "temml.d.ts": `export { default } from "temml";\n`,
  "uplot.d.ts": `export { default } from "uplot";\n`,
  "hljs/core.d.ts": `export { default } from "highlight.js";\n`,
};
const COPIES = { "uplot.css": { packages: ["uplot"], from: "node_modules/uplot/dist/uPlot.min.css" } };
const FONTS = [
  { name: "Geist", files: ["geist.woff2"], licence: "static/fonts/GEIST-OFL.txt" },
  { name: "JetBrains Mono", files: ["mono.woff2"], licence: "static/fonts/JETBRAINS-MONO-OFL.txt" },
];

const sha256 = (/** @type {Buffer} */ bytes) => createHash("sha256").update(bytes).digest("hex");
const lock = JSON.parse(readFileSync(`${ROOT}package-lock.json`, "utf8")).packages;

rmSync(OUT, { recursive: true, force: true });
mkdirSync(`${OUT}hljs/lang`, { recursive: true });

/** @type {Record<string, { packages: string[], sha256: string }>} */
const files = {};
for (const [file, { packages, source }] of Object.entries(BUNDLES)) {
  await build({
    stdin: { contents: source, resolveDir: ROOT },
    outfile: OUT + file,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    logLevel: "warning",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  files[file] = { packages, sha256: sha256(readFileSync(OUT + file)) };
}
for (const [file, { packages, from }] of Object.entries(COPIES)) {
  copyFileSync(ROOT + from, OUT + file);
  files[file] = { packages, sha256: sha256(readFileSync(OUT + file)) };
}

for (const [file, text] of Object.entries(TYPES)) writeFileSync(OUT + file, text);

const names = [...new Set(Object.values(files).flatMap((file) => file.packages))].sort();
const packages = Object.fromEntries(
  names.map((name) => {
    const { version, license, integrity } = lock[`node_modules/${name}`];
    return [name, { version, licence: license, integrity }];
  }),
);
writeFileSync(`${OUT}vendor.lock.json`, `${JSON.stringify({ packages, files }, null, 2)}\n`);

// htm's package carries no licence file; its licence is Apache-2.0, whose text TypeScript ships.
const LICENCE_FILES = { htm: "typescript/LICENSE" };
const licenceOf = (/** @type {string} */ name) => readFileSync(`${ROOT}node_modules/${LICENCE_FILES[name] ?? `${name}/LICENSE`}`, "utf8");
const texts = [
  ...names.map((name) => [`${name} ${packages[name].version} (${packages[name].licence})`, licenceOf(name)]),
  ...FONTS.map((font) => [`${font.name}: ${font.files.join(", ")} (OFL-1.1)`, readFileSync(ROOT + font.licence, "utf8")]),
];
const rule = "=".repeat(78);
writeFileSync(`${OUT}LICENSES.txt`, texts.map(([head, text]) => `${rule}\n${head}\n${rule}\n\n${text.trim()}\n`).join("\n"));
