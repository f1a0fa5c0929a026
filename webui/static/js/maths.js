// Formulas, drawn as MathML once a text is finished; loaded with the first one.
import { DOMPurify } from "../vendor/prose.js";
import temml from "../vendor/temml.js";

const CLEAN = {
  RETURN_DOM_FRAGMENT: /** @type {const} */ (true),
  USE_PROFILES: { mathMl: true },
  FORBID_ATTR: ["style", "href"],
};

/** Parsing an inline style is reported already; quotation marks in texts are escaped, so this finds nothing else. */
const STYLES = / style="[^"]*"/g;

/** Replace the source of each formula by what it means; one that cannot be read stays as it was written.
 * @param {Iterable<Element>} places */
export function drawFormulas(places) {
  for (const place of places) {
    const source = place.textContent ?? "";
    try {
      const drawn = temml.renderToString(source, { displayMode: place.classList.contains("display"), throwOnError: true });
      place.replaceChildren(DOMPurify.sanitize(drawn.replace(STYLES, ""), CLEAN));
      place.setAttribute("title", source);
    } catch (error) {
      console.info("This formula cannot be drawn:", source, error);
    }
  }
}
