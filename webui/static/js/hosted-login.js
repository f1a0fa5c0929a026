// Signing in on static hosting: the key is kept in this tab, and goes to the API service alone.
const BASE = document.documentElement.dataset.base ?? "";
const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
const field = /** @type {HTMLInputElement} */ (document.getElementById("key"));
const refusal = /** @type {HTMLElement} */ (document.getElementById("refusal"));

/** @param {string} words */
function refuse(words) {
  refusal.textContent = words;
  refusal.hidden = false;
  field.setAttribute("aria-invalid", "true");
}

/** Only a page of ours. */
function target() {
  const next = new URL(new URLSearchParams(location.search).get("next") ?? "/", location.origin);
  return next.origin === location.origin ? next.pathname + next.search : "/";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = field.value.trim();
  const reply = await fetch(`${BASE}/api/me`, { headers: { authorization: `Bearer ${key}` }, credentials: "omit" }).catch(() => null);
  if (!reply)
    return refuse(
      `The API service at ${BASE} cannot be reached, or does not take calls from this page: add ${location.origin} to CORS_ORIGINS there.`,
    );
  if (!reply.ok)
    return refuse("This key does not open the gateway. It may be mistyped, blocked, expired or deleted; an administrator can tell.");
  sessionStorage.setItem("gateway-key", key);
  location.assign(target());
});

const why = sessionStorage.getItem("gateway-why");
sessionStorage.removeItem("gateway-why");
if (why) refuse(why);

export {};
