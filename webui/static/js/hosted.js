// On static hosting: the pages talk to the API service itself, at another origin, with the key of whoever signed in. Everything that the
// console's own server does otherwise is here; no other module knows.

const root = document.documentElement;
const BASE = root.dataset.base ?? "";
const KEY = "gateway-key";
const OURS = /^\/(?:api|v1|health)(?:\/|\?|$)/;
const ENDED = "Your key no longer opens the gateway. It was blocked, replaced or deleted, or it has expired.";

const plainFetch = globalThis.fetch.bind(globalThis);

/** Kept for this tab alone. */
const key = () => sessionStorage.getItem(KEY);

/** @param {RequestInfo | URL} target @param {RequestInit} [options] */
async function hostedFetch(target, options = {}) {
  if (typeof target !== "string" || !OURS.test(target)) return plainFetch(target, options);
  const headers = new Headers(options.headers);
  headers.delete("x-webui");
  const own = key();
  if (own) headers.set("authorization", `Bearer ${own}`);
  const reply = await plainFetch(BASE + target, { ...options, headers, credentials: "omit" });
  if (reply.status !== 401 || reply.headers.has("x-gateway-attempts")) return reply;
  sessionStorage.removeItem(KEY);
  const error = { code: "signed_out", message: own ? ENDED : "The API service asks for a key. Sign in with yours." };
  if (own) sessionStorage.setItem("gateway-why", error.message);
  return new Response(JSON.stringify({ error }), { status: 401, headers: { "content-type": "application/json" } });
}

/** `EventSource` with a key: as much of it as the pages use. */
class HostedEvents extends EventTarget {
  #stop = new AbortController();

  /** @param {string} path */
  constructor(path) {
    super();
    this.#listen(path).catch(() => this.#stop.signal.aborted || this.dispatchEvent(new Event("error")));
  }

  /** @param {string} path */
  async #listen(path) {
    const reply = await hostedFetch(path, { signal: this.#stop.signal });
    if (!reply.ok || !reply.body) throw new Error(`status ${reply.status}`);
    const reader = reply.body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const events = (rest + part.value).split("\n\n");
      rest = events.pop() ?? "";
      for (const event of events) if (event.startsWith("data: ")) this.dispatchEvent(new MessageEvent("message", { data: event.slice(6) }));
    }
    throw new Error("the events ended");
  }

  close() {
    this.#stop.abort();
  }
}

/** A file of the API's, which a link cannot fetch with a key. @param {HTMLAnchorElement} link */
async function download(link) {
  const path = link.getAttribute("href") ?? "";
  const reply = await hostedFetch(path);
  if (!reply.ok) return;
  const file = document.createElement("a");
  file.href = URL.createObjectURL(await reply.blob());
  const { format, rows } = Object.fromEntries(new URLSearchParams(path.split("?")[1]));
  file.download = `${rows ?? "requests"}.${format ?? "csv"}`;
  file.click();
  setTimeout(() => URL.revokeObjectURL(file.href), 60_000);
}

/** Who is signed in, and the way out. @param {{ name: string | null, role: string }} me */
function showPerson(me) {
  const form = document.createElement("form");
  form.className = "who";
  form.setAttribute("aria-label", "Signed in");
  const name = Object.assign(document.createElement("p"), { className: "who-name", textContent: me.name ?? "admin key" });
  const role = Object.assign(document.createElement("span"), { className: "tag who-role", textContent: me.role });
  const out = Object.assign(document.createElement("button"), { className: "btn ghost", type: "submit", textContent: "Sign out" });
  form.append(name, role, out);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.removeItem(KEY);
    setTimeout(() => location.assign("/login/"), 0);
  });
  document.querySelector(".open-mode")?.replaceWith(form);
}

async function start() {
  globalThis.fetch = hostedFetch;
  globalThis.EventSource = /** @type {any} */ (HostedEvents);
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[download]") : null;
    if (!(link instanceof HTMLAnchorElement) || !OURS.test(link.getAttribute("href") ?? "")) return;
    event.preventDefault();
    download(link);
  });
  const reply = await hostedFetch("/api/me").catch(() => null);
  if (reply?.status === 401) {
    location.replace(`/login/?next=${encodeURIComponent(location.pathname + location.search)}`);
    return;
  }
  const me = reply?.ok ? await reply.json() : null;
  if (me && !me.open_mode) {
    root.dataset.me = JSON.stringify(me);
    showPerson(me);
    for (const link of document.querySelectorAll("a[data-roles]"))
      if (!link.getAttribute("data-roles")?.split(" ").includes(me.role)) link.remove();
  }
  await import(root.dataset.entry ?? "");
}

start();

export {};
