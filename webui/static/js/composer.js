// Where one writes: text, user, system prompt, parameters, estimate, send and stop.
import { mayCall, me } from "./api.js";
import { computed, effect, Fragment, html, Icon, signal, useEffect, useLayoutEffect, useRef } from "./core.js";
import { compact, contextSize, cost, NOT_PRICED } from "./format.js";
import { chosen, giveFocusBack, model, place } from "./picker.js";
import { canSend, connection } from "./shell.js";
import { owned } from "./store.js";

const USER = owned("gateway.user");
const MOST_NAME = 256;

/** @param {string} key */
const kept = (key) => localStorage.getItem(key) ?? "";

/** Who the requests are for: as typed, or whom the key belongs to. */
export const user = signal(me.peek()?.user_id ?? kept(USER));
/** Why this user id cannot be sent, or "". @param {string} name */
export function userProblem(name) {
  if (name.length > MOST_NAME) return `At most ${MOST_NAME} characters; these are ${name.length}.`;
  return /\p{C}/u.test(name) ? "Printable characters only." : "";
}
effect(() => {
  if (!me.value?.user_id) localStorage.setItem(USER, user.value);
});

export function UserField() {
  const problem = userProblem(user.value.trim());
  const own = me.value?.user_id;
  if (!mayCall.value) return null;
  if (own) {
    return html`<label class="user-field"><span>User</span>
      <input class="field" id="user-id" readonly value=${own} title="Your key’s requests are recorded under this name" /></label>`;
  }
  return html`<label class="user-field"><span>User</span>
    <input class="field" id="user-id" autocomplete="off" spellcheck=${false} placeholder="anonymous" value=${user.value} aria-invalid=${problem ? "true" : null}
      aria-describedby=${problem ? "user-problem" : null} title="Requests are recorded under this name" onInput=${(
        /** @type {any} */ event,
      ) => {
        user.value = event.target.value;
      }} />
    ${problem && html`<span class="field-error user-problem" id="user-problem" role="alert">${problem}</span>`}
  </label>`;
}

// ------------------------------------------------------------------ parameters

/** @typedef {{ name: string, label: string, kind: "number" | "text" | "choice", min?: number, max?: number, step?: number, choices?: string[], hint: string }} Parameter */

/** What a call can be given; left empty, nothing is sent. @type {Parameter[]} */
const PARAMETERS = [
  { name: "temperature", label: "Temperature", kind: "number", min: 0, max: 2, step: 0.1, hint: "0 to 2" },
  { name: "top_p", label: "Top p", kind: "number", min: 0, max: 1, step: 0.05, hint: "0 to 1" },
  { name: "max_tokens", label: "Most output tokens", kind: "number", min: 1, step: 1, hint: "whole number" },
  { name: "seed", label: "Seed", kind: "number", step: 1, hint: "whole number" },
  { name: "stop", label: "Stop at", kind: "text", hint: "a text" },
  { name: "reasoning_effort", label: "Reasoning effort", kind: "choice", choices: ["minimal", "low", "medium", "high"], hint: "" },
];

export const system = signal("");
export const parameters = signal(/** @type {Record<string, string>} */ ({}));

/** @param {Parameter} parameter @param {string} text */
export function parameterProblem({ kind, min, max, step, hint }, text) {
  if (kind !== "number" || text === "") return "";
  const value = Number(text);
  const outside = !Number.isFinite(value) || (min != null && value < min) || (max != null && value > max);
  return outside || (step === 1 && !Number.isInteger(value)) ? `This takes ${hint}.` : "";
}

/** What goes into the request's body. */
export function sentParameters() {
  const given = PARAMETERS.filter(({ name }) => (parameters.value[name] ?? "") !== "");
  return Object.fromEntries(
    given.map(({ name, kind }) => [name, kind === "number" ? Number(parameters.value[name]) : parameters.value[name]]),
  );
}

const parametersWrong = computed(() => PARAMETERS.some((one) => parameterProblem(one, parameters.value[one.name] ?? "")));
const settingsCount = computed(() => Object.values(parameters.value).filter(Boolean).length + (system.value.trim() ? 1 : 0));
const settingsOpen = signal(false);

export function toggleSettings() {
  settingsOpen.value = !settingsOpen.value;
}

/** @param {Parameter} parameter */
function ParameterField(parameter) {
  const { name, label, kind, hint, choices = [] } = parameter;
  const text = parameters.value[name] ?? "";
  const problem = parameterProblem(parameter, text);
  const set = (/** @type {any} */ event) => {
    parameters.value = { ...parameters.value, [name]: event.target.value };
  };
  const id = `parameter-${name}`;
  return html`<div class="stack" key=${name}>
    <label for=${id}>${label}</label>
    ${
      kind === "choice"
        ? html`<select class="field" id=${id} value=${text} onChange=${set}><option value="">default</option>${choices.map((choice) => html`<option value=${choice}>${choice}</option>`)}</select>`
        : html`<input class="field" id=${id} inputmode=${kind === "number" ? "decimal" : null} value=${text} placeholder="default" aria-invalid=${problem ? "true" : null}
            aria-describedby=${problem ? `${id}-problem` : null} title=${hint} onInput=${set} />`
    }
    ${problem && html`<p class="field-error" id=${`${id}-problem`}>${problem}</p>`}
  </div>`;
}

function Settings() {
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => {
    const popover = /** @type {HTMLElement} */ (panel.current);
    const button = /** @type {HTMLElement} */ (document.getElementById("settings-button"));
    popover.showPopover();
    place(popover, button);
    popover.querySelector("textarea")?.focus();
    const onToggle = (/** @type {any} */ event) => {
      if (event.newState !== "closed") return;
      settingsOpen.value = false;
      giveFocusBack(popover, button);
    };
    popover.addEventListener("toggle", onToggle);
    return () => popover.removeEventListener("toggle", onToggle);
  }, []);
  const reset = () => {
    parameters.value = {};
    system.value = "";
  };
  return html`<div class="popover settings" popover="auto" ref=${panel} role="dialog" aria-labelledby="settings-title">
    <div class="panel">
      <header><h2 id="settings-title">System prompt and parameters</h2>
        <button class="btn ghost icon-only" type="button" aria-label="Close" onClick=${() => panel.current?.hidePopover()}><${Icon} name="close" /></button></header>
      <div class="stack"><label for="system-prompt">System prompt</label>
        <textarea class="field" id="system-prompt" rows="4" placeholder="None" value=${system.value} onInput=${(
          /** @type {any} */ event,
        ) => {
          system.value = event.target.value;
        }}></textarea></div>
      <div class="fields">${PARAMETERS.map(ParameterField)}</div>
      <div class="row"><p class="hint">For this chat. What is left empty is not sent.</p>
        <button class="btn ghost push" type="button" disabled=${!settingsCount.value} onClick=${reset}>Reset</button></div>
    </div>
  </div>`;
}

// -------------------------------------------------------------------- composer

export const draft = signal("");
/** Tokens that the conversation so far will cost as input, from its last receipt. */
export const contextTokens = signal(0);

const CHARACTERS_A_TOKEN = 3.6;
const estimate = computed(() => {
  const words = draft.value.trim().length + (contextTokens.value ? 0 : system.value.length);
  if (!words) return null;
  const tokens = contextTokens.value + Math.ceil(words / CHARACTERS_A_TOKEN) + 4;
  const price = model.value?.input_price_usd_per_million;
  const size = model.value?.context_window;
  return { tokens, usd: price == null ? null : (tokens * price) / 1e6, share: size ? tokens / size : null };
});

function Estimate() {
  const now = estimate.value;
  if (!now)
    return html`<span class="estimate num">${model.value?.context_window ? `${contextSize(model.value.context_window)} context` : ""}</span>`;
  const share = now.share == null ? "" : now.share < 0.01 ? " · <1% of context" : ` · ${Math.round(now.share * 100)}% of context`;
  return html`<span class=${`estimate num ${now.share != null && now.share > 0.9 ? "err" : ""}`} title="Estimated from the length of the text; the receipt has the real figures">
    ≈ ${compact(now.tokens)} tokens${now.usd == null ? (model.value ? ` · ${NOT_PRICED}` : "") : ` · ≈ ${cost(now.usd)} in`}<span class="estimate-share">${share}</span></span>`;
}

/** Why nothing can be sent now, or "". */
export const blocked = computed(() => {
  if (!mayCall.value) return "Your key may read, but not call models.";
  if (!chosen.value) return "Choose a model first.";
  if (!canSend.value) return connection.value.state === "offline" ? "The API service does not answer." : "Waiting for the API service.";
  if (userProblem(user.value.trim())) return "The user id cannot be sent as it is.";
  return parametersWrong.value ? "A parameter is not right." : "";
});

/** @param {{ busy: boolean, onSend: (text: string) => void, onStop: () => void, onEditLast: () => void }} props */
export function Composer({ busy, onSend, onStop, onEditLast }) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  useEffect(() => {
    if (!matchMedia("(pointer: coarse)").matches) area.current?.focus();
  }, []);
  const send = () => {
    const text = draft.value.trim();
    if (text && !busy && !blocked.value) onSend(text);
  };
  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !matchMedia("(pointer: coarse)").matches) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && draft.value === "" && !busy) {
      event.preventDefault();
      onEditLast();
    }
  };
  const why = blocked.value;
  return html`<${Fragment}>${!mayCall.value && html`<p class="read-only" data-testid="read-only"><${Icon} name="eye" />Your key has the role viewer: it may read all usage and requests, but not call models. To chat, sign in with a key of the role member.</p>`}
  <form class="composer" onSubmit=${(/** @type {Event} */ event) => {
    event.preventDefault();
    send();
  }}>
    <label class="sr" for="message">Message</label>
    <textarea id="message" ref=${area} rows="1" placeholder=${mayCall.value ? "Ask anything" : "This key may not call models"} disabled=${!mayCall.value} value=${draft.value} onKeyDown=${onKey} aria-describedby="composer-hint"
      onInput=${(/** @type {any} */ event) => {
        draft.value = event.target.value;
      }}></textarea>
    <span class="sr" id="composer-hint">Enter sends, Shift and Enter begin a new line</span>
    <div class="composer-row">
      <button class="btn ghost" id="settings-button" type="button" aria-haspopup="dialog" aria-expanded=${settingsOpen.value} onClick=${toggleSettings}>
        <${Icon} name="sliders" /><span class="settings-label">Parameters</span>${settingsCount.value ? html`<span class="tag num">${settingsCount.value}</span>` : ""}</button>
      <${Estimate} />
      ${
        busy
          ? html`<button class="btn send stop" type="button" onClick=${onStop}><${Icon} name="stop" />Stop</button>`
          : html`<button class="btn primary send" type="submit" aria-disabled=${why || !draft.value.trim() ? "true" : null} title=${why || null}>Send<${Icon} name="send" /></button>`
      }
    </div>
  </form>
  ${settingsOpen.value && html`<${Settings} />`}<//>`;
}
