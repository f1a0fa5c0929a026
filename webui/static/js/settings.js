// The panel for the system prompt and the parameters of a chat.
import { PARAMETERS, parameterProblem, parameters, settingsCount, settingsOpen, system } from "./composer.js";
import { giveFocusBack, html, Icon, place, useLayoutEffect, useRef } from "./core.js";

/** @param {import("./composer.js").Parameter} parameter */
function ParameterField(parameter) {
  const { name, label, kind, hint, choices = [] } = parameter;
  const text = parameters.value[name] ?? "";
  const problem = parameterProblem(parameter, text);
  const set = (/** @type {any} */ event) => {
    parameters.value = { ...parameters.value, [name]: event.target.value };
  };
  const id = `parameter-${name}`;
  return html`<div class=${`stack ${kind === "json" ? "whole-row" : ""}`} key=${name}>
    <label for=${id}>${label}</label>
    ${
      kind === "choice"
        ? html`<select class="field" id=${id} value=${text} onChange=${set}><option value="">default</option>${choices.map((choice) => html`<option value=${choice}>${choice}</option>`)}</select>`
        : kind === "json"
          ? html`<textarea class="field code" id=${id} rows="2" spellcheck=${false} value=${text} placeholder="none" aria-invalid=${problem ? "true" : null}
            aria-describedby=${problem ? `${id}-problem` : null} title=${hint} onInput=${set}></textarea>`
          : html`<input class="field" id=${id} inputmode=${kind === "number" ? "decimal" : null} value=${text} placeholder="default" aria-invalid=${problem ? "true" : null}
            aria-describedby=${problem ? `${id}-problem` : null} title=${hint} onInput=${set} />`
    }
    ${problem && html`<p class="field-error" id=${`${id}-problem`}>${problem}</p>`}
  </div>`;
}

export function Settings() {
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
