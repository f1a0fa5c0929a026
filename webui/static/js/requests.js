// The list of requests.
import { Controls, refresh, startView } from "./controls.js";
import { byId, html, Icon, render } from "./core.js";
import { isLive, RequestList } from "./requestlist.js";
import { startShell } from "./shell.js";

function Page() {
  return html`<${Controls}>
      <button class="btn icon-only" type="button" aria-label="Refresh" title="Refresh" onClick=${refresh}><${Icon} name="retry" /></button>
      <button class="btn" type="button" aria-pressed=${String(isLive.value)} onClick=${() => {
        isLive.value = !isLive.value;
      }}><span class=${`live-dot ${isLive.value ? "on" : ""}`}></span>Live</button>
    <//>
    <${RequestList} limit=${50} title="Requests, newest first" />`;
}

startShell();
startView();
const place = byId("page");
place.replaceChildren();
render(html`<${Page} />`, place);
