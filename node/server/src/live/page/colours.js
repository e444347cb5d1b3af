// Colours of the style sheet, for what is drawn on canvases, and one colour for each server.

const NAMES = ["sea", "land", "coast", "border", "ink", "halo", "quiet", "accent", "panel", "fresh", "late", "old"];
const dark = matchMedia("(prefers-color-scheme: dark)");

let known = null;

export function colours() {
  if (!known) {
    const style = getComputedStyle(document.documentElement);
    known = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    known.font = style.getPropertyValue("--font").trim();
  }
  return known;
}

export function onColoursChanged(action) {
  dark.addEventListener("change", () => {
    known = null;
    action();
  });
}

/** The colour of the server at a place of `length` in the topology: no two have the same. */
export function serverColour(place, length) {
  if (place === null || place === undefined || place < 0) return "var(--quiet)";
  const hue = Math.round(195 + (place * 360) / Math.max(length, 1)) % 360;
  // Neighbours in hue differ in lightness too, where there are many.
  const isDeep = length > 6 && place % 2 === 1;
  const lightness = dark.matches ? (isDeep ? 58 : 72) : (isDeep ? 28 : 42);
  return `hsl(${hue} ${dark.matches ? 65 : 70}% ${lightness}%)`;
}
