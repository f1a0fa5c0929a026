// Where one writes: text, user, system prompt, parameters, estimate, send and stop.
import { mayCall, me } from "./api.js";
import { computed, effect, Fragment, html, Icon, signal, useEffect, useRef, useState } from "./core.js";
import { compact, contextSize, cost, NOT_PRICED } from "./format.js";
import { chosen, compared, model, models } from "./picker.js";
import { canSend, connection, missingModule } from "./shell.js";
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

/** @typedef {{ name: string, label: string, kind: "number" | "text" | "choice" | "json", min?: number, max?: number, step?: number, choices?: string[], hint: string }} Parameter */

/** What a call can be given; left empty, nothing is sent. @type {Parameter[]} */
export const PARAMETERS = [
  { name: "temperature", label: "Temperature", kind: "number", min: 0, max: 2, step: 0.1, hint: "0 to 2" },
  { name: "top_p", label: "Top p", kind: "number", min: 0, max: 1, step: 0.05, hint: "0 to 1" },
  { name: "max_tokens", label: "Most output tokens", kind: "number", min: 1, step: 1, hint: "whole number" },
  { name: "seed", label: "Seed", kind: "number", step: 1, hint: "whole number" },
  { name: "stop", label: "Stop at", kind: "text", hint: "a text" },
  { name: "tools", label: "Tools", kind: "json", hint: "a JSON list of tools, as OpenAI describes them" },
  { name: "response_format", label: "Answer format", kind: "json", hint: 'a JSON object, such as {"type": "json_object"}' },
  { name: "reasoning_effort", label: "Reasoning effort", kind: "choice", choices: ["minimal", "low", "medium", "high"], hint: "" },
];

export const system = signal("");
export const parameters = signal(/** @type {Record<string, string>} */ ({}));

/** @param {Parameter} parameter @param {string} text */
export function parameterProblem({ kind, min, max, step, hint }, text) {
  if (kind === "json") return text.trim() && jsonOf(text) === undefined ? `This takes ${hint}.` : "";
  if (kind !== "number" || text === "") return "";
  const value = Number(text);
  const outside = !Number.isFinite(value) || (min != null && value < min) || (max != null && value > max);
  return outside || (step === 1 && !Number.isInteger(value)) ? `This takes ${hint}.` : "";
}

/** An object or a list, or undefined. @param {string} text */
function jsonOf(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What goes into the request's body. */
export function sentParameters() {
  const given = PARAMETERS.filter(({ name }) => (parameters.value[name] ?? "").trim() !== "");
  const values = { number: Number, json: jsonOf, text: String, choice: String };
  return Object.fromEntries(given.map(({ name, kind }) => [name, values[kind](parameters.value[name])]));
}

const parametersWrong = computed(() => PARAMETERS.some((one) => parameterProblem(one, parameters.value[one.name] ?? "")));
export const settingsCount = computed(() => Object.values(parameters.value).filter(Boolean).length + (system.value.trim() ? 1 : 0));
export const settingsOpen = signal(false);

export function toggleSettings() {
  settingsOpen.value = !settingsOpen.value;
  readPanel();
}

/** @type {import("./core.js").Signal<any>} */
const SettingsPanel = signal(null);

/** The panel is read when it is first opened. */
async function readPanel() {
  SettingsPanel.value ??= await import("./settings.js").then(
    ({ Settings }) => Settings,
    (error) => {
      missingModule(error);
      return null;
    },
  );
}

// -------------------------------------------------------------------- composer

export const draft = signal("");
/** Tokens that the conversation so far will cost as input, from its last receipt. */
export const contextTokens = signal(0);

const CHARACTERS_A_TOKEN = 3.6;
/** Files for the next question; `data` is base64, empty for those of an earlier wording. */
export const attached = signal(/** @type {(import("./thread.js").Attachment & { data: string })[]} */ ([]));

const estimate = computed(() => {
  const words = draft.value.trim().length + (contextTokens.value ? 0 : system.value.length);
  if (!words) return null;
  const tokens = contextTokens.value + Math.ceil(words / CHARACTERS_A_TOKEN) + 4;
  const asked = [chosen.value, ...compared.value].map((id) => models.value.find((one) => one.id === id)?.input_price_usd_per_million);
  const price = asked.some((one) => one == null)
    ? null
    : asked.reduce((sum, one) => /** @type {number} */ (sum) + /** @type {number} */ (one), 0);
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

/** A file that goes with the question. @param {{ file: import("./thread.js").Attachment & { data: string } }} props */
const AttachedFile = ({ file }) => html`<li class="attached">
  ${file.data && file.media_type.startsWith("image/") ? html`<img src=${`data:${file.media_type};base64,${file.data}`} alt="" />` : html`<${Icon} name="file" />`}
  <span class="attached-name">${file.name}</span>
  <button class="btn ghost icon-only" type="button" aria-label=${`Remove ${file.name}`} onClick=${() => {
    attached.value = attached.value.filter(({ id }) => id !== file.id);
  }}><${Icon} name="close" /></button>
</li>`;

/** Models that are asked but do not see pictures, where there is one. */
const blind = computed(() => {
  if (!attached.value.some((file) => file.media_type.startsWith("image/"))) return "";
  const asked = [chosen.value, ...compared.value].flatMap((id) => models.value.find((one) => one.id === id) ?? []);
  return asked
    .filter((one) => one.abilities?.length && !one.abilities.includes("vision"))
    .map((one) => one.name)
    .join(", ");
});

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
  const chooser = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [problems, setProblems] = useState(/** @type {string[]} */ ([]));
  /** @param {Iterable<File>} files */
  const take = async (files) => {
    const list = [...files];
    const { attach } = await import("./attach.js").catch((error) => Promise.reject(missingModule(error)));
    setProblems(await attach(list));
    area.current?.focus();
  };
  useEffect(() => {
    if (!matchMedia("(pointer: coarse)").matches) area.current?.focus();
    return onFilesDropped(take);
  }, []);
  const isEmpty = !draft.value.trim() && !attached.value.length;
  const send = () => {
    if (isEmpty || busy || blocked.value) return;
    setProblems([]);
    onSend(draft.value.trim());
  };
  /** @param {ClipboardEvent} event */
  const onPaste = (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
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
    ${attached.value.length > 0 && html`<ul class="attached-list" aria-label="Attached files">${attached.value.map((file) => html`<${AttachedFile} key=${file.id} file=${file} />`)}</ul>`}
    ${problems.map((problem) => html`<p class="field-error" role="alert">${problem}</p>`)}
    ${blind.value && html`<p class="hint warned" role="status"><${Icon} name="warn" />${blind.value} may not see pictures.</p>`}
    <label class="sr" for="message">Message</label>
    <textarea id="message" ref=${area} onPaste=${onPaste} rows="1" placeholder=${mayCall.value ? "Ask anything" : "This key may not call models"} disabled=${!mayCall.value} value=${draft.value} onKeyDown=${onKey} aria-describedby="composer-hint"
      onInput=${(/** @type {any} */ event) => {
        draft.value = event.target.value;
      }}></textarea>
    <span class="sr" id="composer-hint">Enter sends, Shift and Enter begin a new line</span>
    <div class="composer-row">
      <input class="sr" type="file" multiple tabindex="-1" aria-hidden="true" ref=${chooser} data-testid="files" onChange=${(
        /** @type {any} */ event,
      ) => {
        take(event.target.files);
        event.target.value = "";
      }} />
      <button class="btn ghost icon-only" type="button" aria-label="Attach pictures or text files" title="Attach pictures or text files" disabled=${!mayCall.value}
        onClick=${() => chooser.current?.click()}><${Icon} name="clip" /></button>
      <button class="btn ghost" id="settings-button" type="button" aria-haspopup="dialog" aria-expanded=${settingsOpen.value} onClick=${toggleSettings}>
        <${Icon} name="sliders" /><span class="settings-label">Parameters</span>${settingsCount.value ? html`<span class="tag num">${settingsCount.value}</span>` : ""}</button>
      <${Estimate} />
      ${
        busy
          ? html`<button class="btn send stop" type="button" onClick=${onStop}><${Icon} name="stop" />Stop</button>`
          : html`<button class="btn primary send" type="submit" aria-disabled=${why || isEmpty ? "true" : null} title=${why || null}>Send<${Icon} name="send" /></button>`
      }
    </div>
  </form>
  ${settingsOpen.value && SettingsPanel.value && html`<${SettingsPanel.value} />`}<//>`;
}

/** Files dropped anywhere on the page. @param {(files: Iterable<File>) => void} take */
function onFilesDropped(take) {
  const over = (/** @type {DragEvent} */ event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (event.type === "drop") take(event.dataTransfer.files);
  };
  for (const type of /** @type {const} */ (["dragover", "drop"])) addEventListener(type, over);
  return () => {
    for (const type of /** @type {const} */ (["dragover", "drop"])) removeEventListener(type, over);
  };
}
