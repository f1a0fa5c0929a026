// The request behind an answer as something to run: curl, Python, the JSON itself. The key is never in it.
import { CopyButton, html, openDialog, useEffect, useState } from "./core.js";
import { bodyFor } from "./talk.js";

const KEY = "$GATEWAY_API_KEY";
const MOST_SHOWN = 2000;

/** @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** @typedef {{ url: string, isOpen: boolean, body: any }} Asked */

/** @param {Asked} asked */
export function asCurl({ url, isOpen, body }) {
  const key = isOpen ? "" : ` \\\n  -H "Authorization: Bearer ${KEY}"`;
  const stream = body.stream ? " -N" : "";
  return `curl${stream} ${url}/api/chat \\\n  -H "Content-Type: application/json"${key} \\\n  -d ${quoted(JSON.stringify(body))}`;
}

/** @param {Asked} asked */
export function asPython({ url, isOpen, body }) {
  const { stream: _stream, include: _include, ...plain } = body;
  const headers = isOpen ? "" : `\n    headers={"Authorization": f"Bearer {os.environ['GATEWAY_API_KEY']}"},`;
  return `import json${isOpen ? "" : "\nimport os"}

import requests

body = json.loads(${pythonText(JSON.stringify(plain, null, 2))})
reply = requests.post(
    "${url}/api/chat",
    json=body,${headers}
    timeout=600,
)
reply.raise_for_status()
answer = reply.json()
print(answer["response"])
print(answer["metadata"]["cost_usd"], "USD")
`;
}

/** A text as a literal of Python. @param {string} text */
const pythonText = (text) => `r"""${text.replaceAll('"""', "\\u0022\\u0022\\u0022")}"""`;

/** @param {Asked} asked */
export const asJson = ({ body }) => JSON.stringify(body, null, 2);

const FORMS = /** @type {const} */ ([
  ["curl", asCurl],
  ["Python", asPython],
  ["JSON", asJson],
]);

/** Long pictures are shortened on the screen; what is copied is whole. @param {string} text */
const shortened = (text) => text.replace(/(base64,[A-Za-z0-9+/=]{60})[A-Za-z0-9+/=]{200,}/g, "$1…").slice(0, MOST_SHOWN * 10);

/** @param {{ questionId: string, model: string }} props */
function Request({ questionId, model }) {
  const [form, setForm] = useState(0);
  const [body, setBody] = useState(/** @type {any} */ (null));
  useEffect(() => {
    bodyFor(questionId, model).then(setBody);
  }, []);
  if (!body) return html`<div class="skeleton tall"><span class="sr">Loading</span></div>`;
  const { api = "", me } = document.documentElement.dataset;
  const text = FORMS[form][1]({ url: api, isOpen: !me, body });
  return html`<div class="as-request">
    <div class="row" role="group" aria-label="Form">
      ${FORMS.map(([name], at) => html`<button class="btn small" type="button" aria-pressed=${String(at === form)} onClick=${() => setForm(at)}>${name}</button>`)}
      <span class="push"></span><${CopyButton} text=${() => text} label=${`Copy as ${FORMS[form][0]}`} words="Copy" />
    </div>
    <pre tabindex="0" data-testid="as-request"><code>${shortened(text)}</code></pre>
    <p class="hint">${me ? "Put a key of yours into GATEWAY_API_KEY; the one that you signed in with is not shown." : "No key is needed here."} It is sent to the API service itself.</p>
  </div>`;
}

/** @param {string} questionId @param {string} model */
export function showRequest(questionId, model) {
  openDialog("Show request", () => html`<${Request} questionId=${questionId} model=${model} />`);
}
