// Copies a text, also where the browser has no clipboard for pages without TLS.

import { element } from "./text.js";

/** Says whether it worked. */
export async function copied(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not allowed: the older way may be.
    }
  }
  const field = element("textarea", { class: "only-read", readonly: "" });
  field.value = text;
  document.body.append(field);
  const before = document.activeElement;
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus?.();
  return done;
}

/** A button that copies `text()` and says so for a moment. */
export function copiesOnClick(button, text) {
  const words = button.textContent;
  let timer = 0;
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text())) ? "Copied" : "Not allowed";
    clearTimeout(timer);
    timer = setTimeout(() => { button.textContent = words; }, 1500);
  });
}
