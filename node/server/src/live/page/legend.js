// What the colours mean: ages of reports, or the servers that heard them.

import { AGES } from "./ages.js";
import { serverColour } from "./colours.js";
import { element } from "./text.js";

export function showLegend(list, mode, servers) {
  const ages = AGES.map(({ name, words }) => entry(`dot ${name}`, null, words));
  const heard = servers.map(({ name }, place) => entry("chip", serverColour(place, servers.length), name));
  const stale = servers.some(({ state }) => !["here", "up"].includes(state))
    ? [entry("dot stale", null, "may be out of date")] : [];
  const entries = mode === "server" ? [...heard, entry("dot old", null, "hollow: old")] : ages;
  list.replaceChildren(...entries, ...stale);
}

function entry(className, colour, words) {
  const mark = element("span", { class: className, "aria-hidden": "true" });
  if (colour) mark.style.setProperty("--colour", colour);
  return element("li", {}, mark, words);
}
