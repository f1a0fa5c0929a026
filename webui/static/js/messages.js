// What has been said: questions, answers as they come, errors, receipts.
import { announce, CopyButton, effect, html, Icon, useEffect, useLayoutEffect, useRef, useState } from "./core.js";
import { billing, explain, figuresOf } from "./errors.js";
import { cost, count } from "./format.js";
import { MarkdownView } from "./markdown.js";
import { ReceiptFigures } from "./receipt.js";
import { missingModule } from "./shell.js";
import { loadFile } from "./store.js";
import { chatId, edit, lives, recordOf, regenerate, show } from "./talk.js";
import { winners } from "./thread.js";

/** @typedef {import("./errors.js").Problem} Problem
 * @typedef {import("./thread.js").Answer} Answer
 * @typedef {import("./thread.js").Turn} Turn
 * @typedef {{ chooseModel: () => void, openParameters: () => void, startNew: () => void }} Acts what an error offers beside trying again */

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
      const live = lives.value.get(answer.id);
      if (live) drawn.update(live.value.text);
    });
  }, [answer.id, answer.state]);
  return html`<div class=${`prose ${answer.state === "live" ? "is-live" : ""}`} ref=${root}></div>`;
}

/** A line that counts the time until the first words come. @param {{ answer: Answer }} props */
function Waiting({ answer: { id, model } }) {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 100);
    return () => clearInterval(timer);
  }, []);
  const coming = lives.value.get(id)?.value;
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
        ${actions.includes("retry") && html`<${RetryButton} until=${until} mayHurry=${problem.code !== "rate_limited"} onRetry=${() => regenerate(turn, turn.models.length > 1 ? answer.model : undefined)} />`}
        ${actions.includes("model") && html`<button class="btn small" type="button" onClick=${acts.chooseModel}>Use another model</button>`}
        ${actions.includes("parameters") && html`<button class="btn small" type="button" onClick=${acts.openParameters}>Fewer output tokens</button>`}
        ${actions.includes("new") && html`<button class="btn small" type="button" onClick=${acts.startNew}>New chat</button>`}
      </div>`
    }
  </div>`;
}

/** Which of several versions is shown, and the way to the others. @param {{ noun: "answer" | "wording", ids: string[], shown: number }} props */
function Versions({ noun, ids, shown }) {
  if (ids.length < 2) return null;
  const name = noun === "answer" ? "Answer" : "Wording";
  return html`<span class="versions">
    <button class="btn ghost icon-only" type="button" aria-label=${`Earlier ${noun}`} disabled=${shown === 0} onClick=${() => show(ids[shown - 1])}><${Icon} name="left" /></button>
    <span class="num" aria-label=${`${name} ${shown + 1} of ${ids.length}`} role="img">${shown + 1}/${ids.length}</span>
    <button class="btn ghost icon-only" type="button" aria-label=${`Later ${noun}`} disabled=${shown === ids.length - 1} onClick=${() => show(ids[shown + 1])}><${Icon} name="right" /></button>
  </span>`;
}

/** The itemised bill of an answer; what the list of chats does not have of the record is read now. @param {{ answer: Answer }} props */
function BillOf({ answer: { record, requestId } }) {
  const [drawn, setDrawn] = useState(/** @type {any} */ (null));
  useEffect(() => {
    const whole = record?.receipt ? record : recordOf(requestId ?? "");
    const module = import("./bill.js").catch((error) => Promise.reject(missingModule(error)));
    Promise.all([module, whole]).then(([{ Bill }, found]) =>
      setDrawn(found ? html`<${Bill} record=${found} />` : html`<p class="hint" role="status">The record cannot be read now.</p>`),
    );
  }, []);
  return drawn ?? html`<div class="skeleton figure"><span class="sr">Loading</span></div>`;
}

/** @typedef {{ turn: Turn, answer: Answer, isLast: boolean, isOld: boolean, busy: boolean, acts: Acts, won?: string[] }} AnswerProps */

/** @param {AnswerProps} props */
function AnswerReceipt({ turn, answer, busy, won }) {
  const [open, setOpen] = useState(false);
  const record = answer.record ?? { request_id: answer.requestId ?? "", cost_usd: undefined };
  const hasPage = answer.record != null || answer.problem?.admitted !== false;
  const billId = `bill-${answer.id}`;
  const isColumn = turn.models.length > 1;
  const isShown = turn.answers[turn.shown]?.id === answer.id;
  if (!record.request_id && !answer.text && turn.answers.length < 2) return null;
  return html`<div class="receipt" role="group" aria-label="Receipt for this answer">
      <${ReceiptFigures} record=${record} link=${hasPage} />
      ${won && won.length > 0 && html`<span class="won" data-testid="won">${won.join(" · ")}</span>`}
      <span class="actions">
        ${!isColumn && html`<${Versions} noun="answer" ids=${turn.answers.map(({ id }) => id)} shown=${turn.shown} />`}
        ${isColumn && !busy && html`<button class="btn ghost small-words" type="button" aria-pressed=${String(isShown)} onClick=${() => show(answer.id)}>${isShown ? "Goes on" : "Go on with this"}</button>`}
        ${answer.record && html`<button class="btn ghost icon-only" type="button" aria-expanded=${open} aria-controls=${billId} aria-label="Itemised receipt" title="Itemised receipt" onClick=${() => setOpen(!open)}><${Icon} name="logo" /></button>`}
        ${answer.text && html`<${CopyButton} text=${() => answer.text} label="Copy this answer as Markdown" />`}
        ${answer.model && html`<button class="btn ghost icon-only" type="button" aria-label="Show request" title="Show request" onClick=${() => asRequest(turn, answer.model)}><${Icon} name="code" /></button>`}
        ${!busy && html`<button class="btn ghost icon-only" type="button" aria-label="Regenerate" title="Regenerate" onClick=${() => regenerate(turn, isColumn ? answer.model : undefined)}><${Icon} name="retry" /></button>`}
      </span>
    </div>
    ${open && html`<div class="bill-place" id=${billId}><${BillOf} answer=${answer} /></div>`}`;
}

/** @param {Turn} turn @param {string} model */
async function asRequest(turn, model) {
  const { showRequest } = await import("./asrequest.js").catch((error) => Promise.reject(missingModule(error)));
  showRequest(turn.id, model);
}

/** What the model thought before it spoke; folded. @param {{ answer: Answer }} props */
function Reasoning({ answer }) {
  const live = lives.value.get(answer.id)?.value;
  const text = live ? live.reasoning : answer.reasoning;
  if (!text) return null;
  const tokens = answer.record?.tokens?.reasoning;
  return html`<details class="reasoning">
    <summary><${Icon} name="spark" />${live && !live.text ? "Reasoning…" : "Reasoning"}${tokens ? html`<span class="num tokens"> · ${count(tokens)} tokens</span>` : ""}</summary>
    <div class="reasoning-text">${text}</div>
  </details>`;
}

/** The tools that the answer asks for. @param {{ answer: Answer }} props */
function ToolCalls({ answer }) {
  const calls = lives.value.get(answer.id)?.value.toolCalls ?? answer.toolCalls;
  if (!calls.length) return null;
  return html`<ul class="tool-calls" aria-label="Tool calls">${calls.map(
    (call) => html`<li key=${call.id}><details open>
      <summary><${Icon} name="tool" />${call.name || "…"}</summary>
      <pre tabindex="0"><code>${indented(call.arguments)}</code></pre>
    </details></li>`,
  )}</ul>`;
}

/** JSON for people, or the text as it is while it comes. @param {string} text */
function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** @param {AnswerProps} props */
function AnswerView(props) {
  const { answer } = props;
  const isLive = answer.state === "live";
  return html`<article class="msg answer" aria-label=${`${answer.model} said`} aria-busy=${isLive ? "true" : null}>
    <p class="by"><span class="num">${answer.model}</span></p>
    <${Reasoning} answer=${answer} />
    <${Prose} answer=${answer} soon=${props.isOld} />
    <${ToolCalls} answer=${answer} />
    ${isLive && html`<${Waiting} answer=${answer} />`}
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

/** A file of a question. @param {{ file: import("./thread.js").Attachment }} props */
function Attached({ file }) {
  const isImage = file.media_type.startsWith("image/");
  const [data, setData] = useState("");
  useEffect(() => {
    if (isImage) loadFile(chatId.value, file.id).then((found) => setData(found ?? ""));
  }, [file.id]);
  if (isImage && data)
    return html`<li><img class="picture" src=${`data:${file.media_type};base64,${data}`} alt=${file.name || "attached picture"} /></li>`;
  return html`<li class="attached"><${Icon} name=${isImage ? "image" : "file"} /><span class="attached-name">${file.name}</span></li>`;
}

/** @param {{ turn: Turn, busy: boolean }} props */
function QuestionView({ turn, busy }) {
  return html`<article class="msg user" aria-label="You said">
    ${turn.attachments.length > 0 && html`<ul class="attached-list" aria-label="Attached files">${turn.attachments.map((file) => html`<${Attached} key=${file.id} file=${file} />`)}</ul>`}
    ${turn.text && html`<${Bubble} text=${turn.text} />`}
    <span class="actions">
      <${Versions} noun="wording" ids=${turn.siblings} shown=${turn.siblings.indexOf(turn.id)} />
      <${CopyButton} text=${() => turn.text} label="Copy this message" />
      ${!busy && html`<button class="btn ghost icon-only" type="button" aria-label="Edit this message" title="Edit" onClick=${() => edit(turn)}><${Icon} name="edit" /></button>`}
    </span>
  </article>`;
}

/** The newest answer of each model that was asked. @param {Turn} turn */
const columnsOf = (turn) => turn.models.flatMap((model) => turn.answers.findLast((answer) => answer.model === model) ?? []);

/** Several models beside each other, and what they cost and took together. @param {Omit<AnswerProps, "answer">} props */
function Compared(props) {
  const columns = columnsOf(props.turn);
  const { cheapest, fastest } = winners(columns);
  const records = columns.flatMap(({ record }) => record ?? []);
  const priced = records.filter((record) => record.cost_nano_usd != null);
  const total = priced.reduce((sum, record) => sum + (record.cost_nano_usd ?? 0), 0) / 1e9;
  const totalWords = priced.length ? `${priced.length < records.length ? "≥ " : ""}${cost(total)}` : "not priced";
  return html`<div class="columns" data-count=${columns.length} role="group" aria-label=${`${columns.length} models compared`}>
      ${columns.map((answer) => {
        const won = [...(answer.id === cheapest ? ["cheapest"] : []), ...(answer.id === fastest ? ["fastest"] : [])];
        return html`<${AnswerView} key=${answer.id} ...${props} answer=${answer} won=${won} />`;
      })}
    </div>
    ${!props.busy && records.length > 1 && html`<p class="columns-total num" data-testid="compare-total">${columns.length} answers · ${totalWords} in all</p>`}`;
}

/** @param {{ turns: Turn[], acts: Acts, busy: boolean }} props */
export function Turns({ turns, acts, busy }) {
  return turns.map((turn, at) => {
    const isLast = at === turns.length - 1;
    const answer = turn.answers[turn.shown];
    const shared = { turn, isLast, isOld: at < turns.length - DRAWN_AT_ONCE, busy, acts };
    return html`<div class="turn" key=${turn.id}>
      <${QuestionView} turn=${turn} busy=${busy} />
      ${turn.models.length > 1 ? html`<${Compared} ...${shared} />` : answer && html`<${AnswerView} key=${answer.id} ...${shared} answer=${answer} />`}
    </div>`;
  });
}
