// Every component in its states, for looking at and for axe (dev only).
import { byId, html, Icon, openDialog, render, toast } from "./core.js";
import { MarkdownView } from "./markdown.js";
import { Turns } from "./messages.js";
import { Receipt } from "./receipt.js";
import { startShell } from "./shell.js";

const RECORD = {
  request_id: "01a208e7-6d96-7f60-8f3a-5aea9af1bd8c",
  http_status: 200,
  tokens: { prompt: 1204, cached: 896, completion: 386, reasoning: 40, total: 1590 },
  cost_usd: 0.004082,
  cost_nano_usd: 4_082_000,
  cost_source: "computed",
  response_time: 1.84,
  time_to_first_token: 0.312,
  overhead: 0.0016,
  price: { version: "2026-11-20" },
  receipt: [
    { item: "input", quantity: 308, unit_price_usd_per_million: 2.5, amount_nano_usd: 770_000 },
    { item: "input_cached", quantity: 896, unit_price_usd_per_million: 0.25, amount_nano_usd: 224_000 },
    { item: "output", quantity: 386, unit_price_usd_per_million: 8, amount_nano_usd: 3_088_000 },
  ],
  attempts_list: [
    { provider: "azure", http_status: 429, response_time: 0.12 },
    { provider: "openai", http_status: 200, response_time: 1.69 },
  ],
};

const PROSE = `## Retries

Treat a \`429\` as a **scheduling signal**, not as a failure. See [the notes](https://example.com/notes).

- Honour \`Retry-After\`
  1. then full jitter
- [x] done
- [ ] open

> A quoted line.

| Code | Meaning | Share |
|---|---|--:|
| 429 | slow down | 4% |
| 503 | later | 1% |

\`\`\`python
def delay(base: float, attempt: int) -> float:
    # full jitter
    return min(60, base * 2 ** attempt) * random()
\`\`\`

![a chart](https://example.com/chart.png)

---
`;

const STATES = ["connecting", "connected", "degraded", "reconnecting", "offline"];
const LIMIT = { id: "l1", scope: "user alice", kind: "requests_per_minute", limit: 60, remaining: 0, retry_after_s: 30 };
const BUDGET = {
  id: "b1",
  scope: "application webui",
  period: "month",
  limit_usd: 5,
  spent_usd: 4.982_1,
  held_usd: 0.012,
  needed_usd: 0.040_96,
  resets_at: "2026-12-01T00:00:00Z",
};
/** Code, status, details. @type {[string, number, any?][]} */
const CODES = [
  ["rate_limited", 429, { limit: LIMIT }],
  ["model_price_unknown", 402, { model: "openai/new", budget: BUDGET }],
  ["not_allowed", 403],
  ["idempotency_mismatch", 422],
  ["provider_not_configured", 503],
  ["api_unreachable", 502],
  ["too_large", 413],
  ["cut", 0],
  ["budget_exceeded", 402, { budget: BUDGET }],
];

/** @param {string} title @param {any} content */
const section = (title, content) => html`<section class="card" aria-label=${title}><header><h2>${title}</h2></header>${content}</section>`;

/** @param {any} more */
const answer = (more) => ({
  id: "a",
  role: "assistant",
  parent: "",
  model: "openai/gpt-4o",
  text: "",
  reasoning: "",
  toolCalls: [],
  state: "done",
  requestId: null,
  record: null,
  problem: null,
  at: Date.now(),
  ...more,
});

const TURNS = /** @type {any[]} */ ([
  {
    id: "t1",
    text: "How should a gateway retry 429 responses?",
    shown: 1,
    answers: [answer({ id: "a1" }), answer({ id: "a2", text: PROSE, record: RECORD })],
  },
  {
    id: "c1",
    text: "And which of you is cheaper?",
    models: ["openai/gpt-4o", "demo/priced"],
    attachments: [{ id: "f1", name: "notes.md", media_type: "text/plain", size: 1200 }],
    shown: 0,
    answers: [
      answer({
        id: "c1a",
        text: "I am.",
        record: RECORD,
        reasoning: "Let me think about prices.",
        toolCalls: [{ id: "k", name: "look_up", arguments: '{"x": 1}' }],
      }),
      answer({
        id: "c1b",
        model: "demo/priced",
        text: "I am.",
        record: { ...RECORD, cost_nano_usd: 1000, cost_usd: 0.000001, response_time: 3 },
      }),
    ],
  },
  {
    id: "t2",
    text: "And in Go?",
    shown: 0,
    answers: [answer({ id: "a3", text: "Like this", state: "stopped", record: { ...RECORD, cost_usd: null, cost_nano_usd: null } })],
  },
  ...CODES.map(([code, status, details = null], at) => ({
    id: `e${at}`,
    text: `What does ${code} look like?`,
    shown: 0,
    answers: [
      answer({
        id: `ae${at}`,
        state: "failed",
        problem: {
          code,
          status,
          details,
          message: "OpenAI has no key here. Put OPENAI_API_KEY=… into .env.",
          retryAfter: status === 429 ? 30 : null,
        },
      }),
    ],
  })),
]).map((turn) => ({ parent: null, attachments: [], models: [], siblings: [turn.id], ...turn }));

const nothing = () => {};

function Kit() {
  return [
    section(
      "Buttons",
      html`<div class="row">
        <button class="btn primary" type="button">Primary</button><button class="btn" type="button">Default</button>
        <button class="btn ghost" type="button"><${Icon} name="copy" />Ghost</button><button class="btn danger" type="button">Danger</button>
        <button class="btn" type="button" aria-pressed="true">Pressed</button><button class="btn" type="button" disabled>Disabled</button>
        <button class="btn ghost icon-only" type="button" aria-label="Retry"><${Icon} name="retry" /></button>
        <button class="btn" type="button" id="open-dialog" onClick=${() => openDialog("A dialog", () => html`<p>With words.</p>`)}>Dialog</button>
        <button class="btn" type="button" id="open-toast" onClick=${() => toast("Deleted", { action: "Undo" })}>Toast</button>
      </div>`,
    ),
    section(
      "Fields",
      html`<div class="fields">
        <div class="stack"><label for="k1">Text</label><input class="field" id="k1" value="alice" /></div>
        <div class="stack"><label for="k2">Wrong</label><input class="field" id="k2" aria-invalid="true" aria-describedby="k2p" value="9" /><p class="field-error" id="k2p">This takes 0 to 2.</p></div>
        <div class="stack"><label for="k3">Choice</label><select class="field" id="k3"><option>default</option></select></div>
        <label class="switch"><input type="checkbox" role="switch" checked />Live</label>
      </div>`,
    ),
    section(
      "Chips, tags, pills",
      html`<div class="row"><span class="chip">app: webui</span><span class="tag">503</span><span class="pill ok">200</span><span class="pill warn">429</span><span class="pill err">529</span>
        ${STATES.map((state) => html`<span class="pill-status" data-state=${state}><span class="dot"></span><span class="pill-words">${state}</span><span class="num">38 ms</span></span>`)}</div>`,
    ),
    section(
      "Banner",
      html`<p class="banner"><strong>Degraded.</strong> One provider fails.</p><p class="banner err"><strong>Failed.</strong> Nothing was billed.</p>`,
    ),
    section(
      "Tiles",
      html`<div class="tiles">
        <div class="tile"><span class="key">Spend</span><span class="value cost">$412.08</span><span class="detail">97% priced</span></div>
        <div class="tile"><span class="key">Tokens</span><span class="value tokens">96.4 M</span><span class="detail">81.0 M in</span></div>
        <div class="tile"><span class="key">Latency p95</span><span class="value time">4.2 s</span><span class="detail">p50 1.1 s</span></div>
      </div>`,
    ),
    section(
      "Table",
      html`<div class="table-scroll" tabindex="0" role="region" aria-label="Requests"><table class="data"><thead><tr><th scope="col">Model</th><th scope="col" class="num">Cost</th></tr></thead>
        <tbody><tr><td>openai/gpt-4o</td><td class="num cost">$0.0041</td></tr></tbody></table></div>`,
    ),
    section("Receipt", html`<${Receipt} record=${RECORD} />`),
    section(
      "Chat",
      html`<div class="col"><${Turns} turns=${TURNS} busy=${false} acts=${{ chooseModel: nothing, openParameters: nothing, startNew: nothing }} /></div>`,
    ),
    section("Loading, empty", html`<div class="skeleton sample"></div><div class="empty"><p>No requests in this range.</p></div>`),
  ];
}

startShell();
render(html`<${Kit} />`, byId("page"));
// Tests draw text as it would come from a model.
Object.assign(globalThis, { MarkdownView });
