// What the traffic of the view would have cost on other models.
import { getJson } from "./api.js";
import { nowMs, queryOf, show, span, view } from "./controls.js";
import { html, Icon, useEffect, useId, useState } from "./core.js";
import { atLeast, cost, count, exactCost, NOT_PRICED, percent } from "./format.js";
import { Failure, Skeleton, useLoaded } from "./loading.js";
import { MOST_INSTEAD } from "./urlstate.js";

/** @typedef {{ model: string, requests: number, unpriced_requests: number, cost_usd: number | null, cost_nano_usd: number | null, instead_usd: number | null, instead_nano_usd: number | null }} Row
 * @typedef {{ model: string, price: any, cost_usd: number | null, cost_nano_usd: number | null, difference_usd: number | null, difference_nano_usd: number | null, difference_requests: number,
 *   change: number | null, models: Row[], notes: { code: string, text: string }[] }} Candidate
 * @typedef {{ compared: any, left_out: { model: string, requests: number, reason: string }[], candidates: Candidate[], assumptions: string[] }} Answer */

/** @param {string} model */
const add = (model) => show({ instead: [...new Set([...view.value.instead, model])].slice(0, MOST_INSTEAD) });
/** @param {string} model */
const drop = (model) => show({ instead: view.value.instead.filter((one) => one !== model) });

/** Names to choose from, those that can be called first. @type {Promise<string[]> | undefined} */
let known;
function knownModels() {
  known ??= getJson("/api/models").then(({ providers }) =>
    /** @type {any[]} */ (Object.values(providers))
      .sort((one, other) => Number(other.callable) - Number(one.callable))
      .flatMap(({ models }) => models.map((/** @type {any} */ one) => one.id)),
  );
  return known;
}

function ModelField() {
  const ids = [useId(), useId()];
  const [names, setNames] = useState(/** @type {string[]} */ ([]));
  const [typed, setTyped] = useState("");
  useEffect(() => {
    knownModels().then(setNames, () => {});
  }, []);
  /** @param {string} text */
  const take = (text) => {
    setTyped(text);
    if (!names.includes(text)) return;
    add(text);
    setTyped("");
  };
  if (view.value.instead.length >= MOST_INSTEAD) return html`<p class="caption">Four at most.</p>`;
  return html`<form class="row what-if-form" onSubmit=${(/** @type {Event} */ event) => {
    event.preventDefault();
    if (typed.trim()) {
      add(typed.trim());
      setTyped("");
    }
  }}>
    <label class="sr" for=${ids[0]}>Another model</label>
    <input class="field id" id=${ids[0]} list=${ids[1]} placeholder="openai/gpt-4o-mini" autocomplete="off" spellcheck=${false} value=${typed} onInput=${(/** @type {any} */ event) => take(event.currentTarget.value)} />
    <datalist id=${ids[1]}>${names.map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>
    <button class="btn" type="submit"><${Icon} name="plus" />Compare</button>
  </form>`;
}

/** "$3.20 less (−71%)", and of how many requests where that is not all. @param {Candidate} candidate @param {number} requests */
function differenceWords({ difference_usd: usd, difference_requests: known, change, cost_nano_usd: nano }, requests) {
  if (nano === null) return "";
  if (usd === null) return "nothing to compare it with";
  const of = known < requests ? `, of ${count(known)} priced requests` : "";
  if (usd === 0) return `the same${of}`;
  return `${cost(Math.abs(usd))} ${usd < 0 ? "less" : "more"}${change === null ? "" : ` (${usd < 0 ? "−" : "+"}${percent(Math.abs(change))})`}${of}`;
}

/** @param {{ answer: Answer }} props */
function Comparison({ answer: { compared, candidates, left_out: leftOut, assumptions } }) {
  const actual = compared.cost_nano_usd;
  const longest = Math.max(actual ?? 0, ...candidates.map(({ cost_nano_usd: nano }) => nano ?? 0)) || 1;
  /** @param {number | null} nano */
  const width = (nano) => ({ width: `${(((nano ?? 0) / longest) * 100).toFixed(2)}%` });
  const charged = atLeast(actual, compared.unpriced_requests, cost(compared.cost_usd));
  return html`<ul class="what-if" aria-label="Costs compared">
      <li data-model=""><span class="name">as it was</span><span class="track"><span class="fill cost" style=${width(actual)}></span></span>
        <span class="num" title=${exactCost(actual)}>${charged}</span><span class="caption">${count(compared.requests)} requests</span></li>
      ${candidates.map(
        (one) => html`<li key=${one.model} data-model=${one.model} data-value=${one.cost_nano_usd}><span class="name">${one.model}</span>
        <span class="track"><span class="fill cost" style=${width(one.cost_nano_usd)}></span></span>
        <span class="num" title=${exactCost(one.cost_nano_usd)}>${one.cost_nano_usd === null ? NOT_PRICED : `≈ ${cost(one.cost_usd)}`}</span>
        <span class=${`caption ${(one.difference_nano_usd ?? 0) < 0 ? "is-less" : ""}`}>${differenceWords(one, compared.requests)}</span>
        <button class="btn ghost icon-only" type="button" aria-label=${`No longer compare ${one.model}`} onClick=${() => drop(one.model)}><${Icon} name="close" /></button></li>`,
      )}
    </ul>
    ${candidates.length > 0 && html`<${ByModel} candidates=${candidates} />`}
    <details class="what-if-notes" open=${candidates.some(({ notes }) => notes.length > 0)}><summary>What cannot be compared</summary>
      <ul>${candidates.flatMap(({ model, notes }) => notes.map((note) => html`<li key=${model + note.code}><code>${model}</code> ${note.text}</li>`))}
        ${leftOut.map((one) => html`<li key=${one.model}><code>${one.model}</code> left out, ${count(one.requests)} requests: ${one.reason}.</li>`)}
        ${assumptions.map((text) => html`<li key=${text} class="quiet">${text}</li>`)}</ul></details>`;
}

/** @param {{ candidates: Candidate[] }} props */
function ByModel({ candidates }) {
  const rows = candidates[0].models;
  return html`<div class="table-scroll" role="region" tabindex="0" aria-label="What if, by model: table"><table class="data" aria-label="What if, by model">
    <thead><tr><th scope="col">Was asked of</th><th scope="col" class="num">Requests</th><th scope="col" class="num">Cost (USD)</th>${candidates.map(({ model }) => html`<th scope="col" class="num" key=${model}>on ${model}</th>`)}</tr></thead>
    <tbody>${rows.map(
      (row, at) => html`<tr key=${row.model}><th scope="row">${row.model}</th><td class="num">${count(row.requests)}</td>
      <td class="num" title=${exactCost(row.cost_nano_usd)}>${atLeast(row.cost_nano_usd, row.unpriced_requests, cost(row.cost_usd))}</td>
      ${candidates.map(({ model, models }) => html`<td class="num" key=${model} data-value=${models[at].instead_nano_usd} title=${exactCost(models[at].instead_nano_usd)}>${cost(models[at].instead_usd)}</td>`)}</tr>`,
    )}</tbody></table></div>`;
}

export function WhatIf() {
  const id = useId();
  const { instead } = view.value;
  const query = queryOf(span.value);
  for (const model of instead) query.append("instead", model);
  const loaded = useLoaded(`/api/what-if?${query}`, nowMs.value);
  return html`<section class="card span-8" aria-labelledby=${id} aria-busy=${String(loaded.isLoading)} data-testid="card-what-if">
    <header><h2 id=${id}>What if it had been another model?</h2><span class="caption">the same tokens at today’s prices</span><div class="tools"><${ModelField} /></div></header>
    ${loaded.error && html`<${Failure} loaded=${loaded} />`}
    ${loaded.error && instead.length > 0 && html`<p class="row">${instead.map((model) => html`<button class="chip is-set" type="button" key=${model} onClick=${() => drop(model)}>${model}<${Icon} name="close" /></button>`)}</p>`}
    ${loaded.data && !loaded.error ? html`<div class=${`card-body ${loaded.isLoading ? "is-stale" : ""}`}><${Comparison} answer=${loaded.data} /></div>` : !loaded.error && html`<${Skeleton} height="short" />`}
  </section>`;
}
