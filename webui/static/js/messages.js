// What has been said: questions, answers as they come, errors, receipts.
import { announce, CopyButton, effect, html, Icon, signal, useEffect, useLayoutEffect, useRef, useState } from "./core.js";
import { billing, explain, figuresOf } from "./errors.js";
import { cost, duration, NOT_PRICED } from "./format.js";
import { MarkdownView } from "./markdown.js";
import { Bill, ReceiptFigures } from "./receipt.js";

/** @typedef {import("./errors.js").Problem} Problem
 * @typedef {import("./receipt.js").RequestRecord} RequestRecord
 * @typedef {{ id: string, model: string, text: string, state: "live" | "done" | "stopped" | "failed", requestId: string | null,
 *   record: RequestRecord | null, problem: Problem | null, at: number }} Answer
 * @typedef {{ id: string, text: string, answers: Answer[], shown: number }} Turn
 * @typedef {{ regenerate: (turn: Turn) => void, edit: (turn: Turn) => void, show: (turn: Turn, shown: number) => void, chooseModel: () => void,
 *   openParameters: () => void, startNew: () => void }} Acts */

/** The answer that is coming: kept apart, so that each word redraws nothing but itself. */
export const live = signal(
  /** @type {{ id: string, text: string, beganMs: number, firstMs: number | null, provider: string } | null} */ (null),
);

const SLICE_MS = 8;
/** Answers of a long talk that are not drawn yet, the newest last. @type {(() => void)[]} */
const waiting = [];

/** Draw the newest first, a few milliseconds at a time. */
function drawSome() {
  const until = performance.now() + SLICE_MS;
  while (waiting.length && performance.now() < until) waiting.pop()?.();
  if (waiting.length) setTimeout(drawSome);
}

/** @param {() => void} draw */
function drawSoon(draw) {
  if (waiting.push(draw) === 1) setTimeout(drawSome);
}

/** @param {{ answer: Answer, soon: boolean }} props */
function Prose({ answer, soon }) {
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const view = useRef(/** @type {MarkdownView | null} */ (null));
  useLayoutEffect(() => {
    view.current ??= new MarkdownView(/** @type {HTMLElement} */ (root.current));
    const drawn = view.current;
    if (answer.state !== "live") {
      if (soon) drawSoon(() => drawn.root.isConnected && drawn.end(answer.text));
      else drawn.end(answer.text);
      return undefined;
    }
    return effect(() => {
      if (live.value?.id === answer.id) drawn.update(live.value.text);
    });
  }, [answer.id, answer.state]);
  return html`<div class=${`prose ${answer.state === "live" ? "is-live" : ""}`} ref=${root}></div>`;
}

/** A line that counts the time until the first words come. @param {{ model: string }} props */
function Waiting({ model }) {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 100);
    return () => clearInterval(timer);
  }, []);
  const coming = live.value;
  if (!coming || coming.firstMs != null) return null;
  const seconds = (now - coming.beganMs) / 1000;
  const whom = coming.provider || model.split("/")[0];
  return html`<p class="waiting"><span class="caret"></span><span class="time num">${seconds < 0 ? "0.0" : seconds.toFixed(1)} s</span>${
    seconds > 2 && html`<span class="quiet">waiting for ${whom}</span>`
  }</p>`;
}

/** A countdown, then the button; `mayHurry`: trying sooner may help. @param {{ until: number, mayHurry: boolean, onRetry: () => void }} props */
function RetryButton({ until, mayHurry, onRetry }) {
  const [now, setNow] = useState(Date.now());
  const left = Math.ceil((until - now) / 1000);
  useEffect(() => {
    if (left <= 0) return undefined;
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [left > 0]);
  const waited = useRef(left > 0);
  useEffect(() => {
    if (left <= 0 && waited.current) announce("You can try again now");
  }, [left > 0]);
  if (left <= 0) return html`<button class="btn small" type="button" onClick=${onRetry}><${Icon} name="retry" />Try again</button>`;
  return html`<span class="time num" data-testid="countdown">again in ${left} s</span>
    ${mayHurry && html`<button class="btn ghost" type="button" onClick=${onRetry}>Retry now</button>`}`;
}

/** Whether it never came to a call; without a record nothing else is known about the bill. @param {Problem} problem */
const wasRefused = ({ status, admitted }) => status > 0 && admitted === false;

/** @param {{ turn: Turn, answer: Answer, isLast: boolean, acts: Acts }} props */
function Failure({ turn, answer, isLast, acts }) {
  const problem = /** @type {Problem} */ (answer.problem);
  const { title, advice, line, actions } = explain(problem);
  const figures = figuresOf(problem);
  const until = answer.at + (problem.retryAfter ?? 0) * 1000;
  return html`<div class="banner err failure" role="group" aria-label="Error">
    <p><${Icon} name="warn" /><strong>${title}</strong> ${problem.status ? html`<span class="tag num">${problem.status}</span>` : ""}</p>
    <p>${advice}</p>
    ${figures.length > 0 && html`<dl class="facts figures-said" data-testid="refusal">${figures.map(([name, words]) => html`<dt>${name}</dt><dd>${words}</dd>`)}</dl>`}
    ${line && html`<p class="env-line"><code>${line}</code><${CopyButton} text=${() => line} label="Copy the line" /></p>`}
    ${problem.message && !figures.length && html`<p class="said">${problem.message}</p>`}
    <p class="billed">${answer.record ? billing(answer.record, cost) : wasRefused(problem) ? "Nothing was billed." : ""}</p>
    ${
      isLast &&
      html`<div class="row">
        ${actions.includes("retry") && html`<${RetryButton} until=${until} mayHurry=${problem.code !== "rate_limited"} onRetry=${() => acts.regenerate(turn)} />`}
        ${actions.includes("model") && html`<button class="btn small" type="button" onClick=${acts.chooseModel}>Use another model</button>`}
        ${actions.includes("parameters") && html`<button class="btn small" type="button" onClick=${acts.openParameters}>Fewer output tokens</button>`}
        ${actions.includes("new") && html`<button class="btn small" type="button" onClick=${acts.startNew}>New chat</button>`}
      </div>`
    }
  </div>`;
}

/** @param {{ turn: Turn, onShow: (shown: number) => void }} props */
function Versions({ turn, onShow }) {
  const { shown, answers } = turn;
  if (answers.length < 2) return null;
  return html`<span class="versions">
    <button class="btn ghost icon-only" type="button" aria-label="Earlier answer" disabled=${shown === 0} onClick=${() => onShow(shown - 1)}><${Icon} name="left" /></button>
    <span class="num" aria-label=${`Answer ${shown + 1} of ${answers.length}`} role="img">${shown + 1}/${answers.length}</span>
    <button class="btn ghost icon-only" type="button" aria-label="Later answer" disabled=${shown === answers.length - 1} onClick=${() => onShow(shown + 1)}><${Icon} name="right" /></button>
  </span>`;
}

/** @param {{ turn: Turn, answer: Answer, isLast: boolean, busy: boolean, acts: Acts }} props */
function AnswerReceipt({ turn, answer, isLast, busy, acts }) {
  const [open, setOpen] = useState(false);
  const record = answer.record ?? { request_id: answer.requestId ?? "", cost_usd: undefined };
  const hasPage = answer.record != null || answer.problem?.admitted !== false;
  const billId = `bill-${answer.id}`;
  if (!record.request_id && !answer.text && turn.answers.length < 2) return null;
  return html`<div class="receipt" role="group" aria-label="Receipt for this answer">
      <${ReceiptFigures} record=${record} link=${hasPage} />
      <span class="actions">
        <${Versions} turn=${turn} onShow=${(/** @type {number} */ shown) => acts.show(turn, shown)} />
        ${answer.record && html`<button class="btn ghost icon-only" type="button" aria-expanded=${open} aria-controls=${billId} aria-label="Itemised receipt" title="Itemised receipt" onClick=${() => setOpen(!open)}><${Icon} name="logo" /></button>`}
        ${answer.text && html`<${CopyButton} text=${() => answer.text} label="Copy this answer as Markdown" />`}
        ${isLast && !busy && html`<button class="btn ghost icon-only" type="button" aria-label="Regenerate" title="Regenerate" onClick=${() => acts.regenerate(turn)}><${Icon} name="retry" /></button>`}
      </span>
    </div>
    ${open && answer.record && html`<div class="bill-place" id=${billId}><${Bill} record=${answer.record} /></div>`}`;
}

/** @param {{ turn: Turn, answer: Answer, isLast: boolean, isOld: boolean, busy: boolean, acts: Acts }} props */
function AnswerView(props) {
  const { answer } = props;
  const isLive = answer.state === "live";
  return html`<article class="msg answer" aria-label=${`${answer.model} said`} aria-busy=${isLive ? "true" : null}>
    <p class="by"><span class="num">${answer.model}</span></p>
    <${Prose} answer=${answer} soon=${props.isOld} />
    ${isLive && html`<${Waiting} model=${answer.model} />`}
    ${answer.state === "stopped" && html`<p class="stopped"><${Icon} name="stop" />${stoppedWords(answer)}</p>`}
    ${answer.state === "failed" && html`<${Failure} ...${props} />`}
    ${!isLive && html`<${AnswerReceipt} ...${props} />`}
  </article>`;
}

/** @param {Answer} answer */
function stoppedWords({ record }) {
  const tokens = record?.tokens?.completion;
  const about = record?.estimated || record?.cost_source === "estimated" ? "about " : "";
  return tokens ? `Stopped by you after ${about}${tokens.toLocaleString("en-US")} tokens` : "Stopped by you";
}

const DRAWN_AT_ONCE = 4;
const LONG_CHARACTERS = 1500;
const LONG_LINES = 12;

/** What was asked; a long text is folded. @param {{ text: string }} props */
function Bubble({ text }) {
  const [open, setOpen] = useState(false);
  const isLong = text.length > LONG_CHARACTERS || text.split("\n", LONG_LINES + 1).length > LONG_LINES;
  const shown = isLong && !open ? text.slice(0, LONG_CHARACTERS * 2) : text;
  return html`<div class="bubble-place">
    <div class=${`bubble ${isLong && !open ? "is-long" : ""}`}>${shown}</div>
    ${isLong && html`<button class="btn ghost bubble-more" type="button" aria-expanded=${open} onClick=${() => setOpen(!open)}>${open ? "Show less" : "Show all"}</button>`}
  </div>`;
}

/** @param {{ turns: Turn[], acts: Acts, busy: boolean }} props */
export function Turns({ turns, acts, busy }) {
  return turns.map((turn, at) => {
    const isLast = at === turns.length - 1;
    const answer = turn.answers[turn.shown];
    return html`<div class="turn" key=${turn.id}>
      <article class="msg user" aria-label="You said">
        <${Bubble} text=${turn.text} />
        <span class="actions">
          <${CopyButton} text=${() => turn.text} label="Copy this message" />
          ${isLast && !busy && html`<button class="btn ghost icon-only" type="button" aria-label="Edit this message" title="Edit" onClick=${() => acts.edit(turn)}><${Icon} name="edit" /></button>`}
        </span>
      </article>
      ${answer && html`<${AnswerView} key=${answer.id} turn=${turn} answer=${answer} isLast=${isLast} isOld=${at < turns.length - DRAWN_AT_ONCE} busy=${busy} acts=${acts} />`}
    </div>`;
  });
}

/** "0.41 cents", never in powers of ten @param {number} usd */
const cents = (usd) => `${new Intl.NumberFormat("en-US", { maximumSignificantDigits: 2 }).format(usd * 100)} cents`;

/** "Answer ready, 386 tokens, 1.8 seconds, 0.4 cents" @param {Answer} answer */
export function spoken({ record, state, problem }) {
  if (state === "failed" && problem) return `Error: ${explain(problem).title}`;
  const parts = [state === "stopped" ? "Stopped" : "Answer ready"];
  const tokens = record?.tokens?.completion;
  if (tokens != null) parts.push(`${tokens} tokens`);
  if (record?.response_time != null) parts.push(duration(record.response_time).replace(/ s$/, " seconds").replace(/ ms$/, " milliseconds"));
  if (record?.cost_usd === null) parts.push(NOT_PRICED);
  else if (record?.cost_usd != null) parts.push(cents(record.cost_usd));
  return parts.join(", ");
}
