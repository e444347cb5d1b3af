// Numbers, times and elements. All text from outside becomes text nodes here, never markup.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

const hourAndMinute = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const dayAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const toTheSecond = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

export const count = (number) => whole.format(number);

export const plural = (number, one, more) => `${count(number)} ${number === 1 ? one : more}`;

/** A rate, with as many digits as are worth reading. */
export const rate = (number) => (number < 100 ? short.format(number) : whole.format(number));

export function duration(ms) {
  if (ms < 1) return "< 1 ms";
  if (ms < 1000) return `${short.format(ms)} ms`;
  return `${short.format(ms / 1000)} s`;
}

/** How long ago, in one unit. */
export function ago(ms) {
  const seconds = Math.round(Math.abs(ms) / 1000);
  const units = [[86400 * 365, "year"], [86400, "day"], [3600, "hour"], [60, "minute"]];
  const [size, unit] = units.find(([size]) => seconds >= 2 * size) ?? [1, "second"];
  const text = plural(Math.floor(seconds / size), unit, `${unit}s`);
  if (seconds === 0) return "just now";
  return ms >= 0 ? `${text} ago` : `${text} ahead`;
}

/** A moment in UTC and in the time of this machine: `[utc, local]`; the second is empty where both are the same. */
export function moment(ms) {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return ["outside the calendar", ""];
  const iso = (moment) => moment.toISOString().replace("T", " ").replace(/\.\d+Z$/, "");
  const offset = date.getTimezoneOffset();
  return [`${iso(date)} UTC`, offset === 0 ? "" : `${iso(new Date(ms - offset * 60_000))} local`];
}

/** The hour and minute of a moment on this machine, with the day unless it is today's. */
export function clockTime(ms, nowMs) {
  const date = new Date(ms);
  const isToday = date.toDateString() === new Date(nowMs).toDateString();
  return (isToday ? hourAndMinute : dayAndTime).format(date);
}

/** The hour, minute and second of a moment on this machine. */
export const secondOfDay = (ms) => toTheSecond.format(new Date(ms));

/** How old, in few characters. */
export function age(seconds) {
  const units = [[86400 * 365, "y"], [86400, "d"], [3600, "h"], [60, "min"]];
  const [size, unit] = units.find(([size]) => Math.abs(seconds) >= size) ?? [1, "s"];
  return `${whole.format(Math.trunc(seconds / size))} ${unit}`;
}

export function distance(metres) {
  return metres < 1000 ? `${whole.format(metres)} m` : `${short.format(metres / 1000)} km`;
}

/** Metres between two points on the sphere. */
export function metresBetween(a, b) {
  const radians = Math.PI / 180;
  const half = (angle) => Math.sin((angle * radians) / 2) ** 2;
  const arc = half(b.latitude - a.latitude)
    + Math.cos(a.latitude * radians) * Math.cos(b.latitude * radians) * half(b.longitude - a.longitude);
  return 2 * 6371008.8 * Math.asin(Math.min(1, Math.sqrt(arc)));
}

/** An element with attributes, and children that are elements or text. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Text of the HTML that sources of places want to be named with. Nothing of it is shown as HTML. */
export function plainText(html) {
  return new DOMParser().parseFromString(html, "text/html").body.textContent ?? "";
}

export function base64url(text) {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes of an id in base64url. */
function bytesOf(text64) {
  const binary = atob(text64.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}

/** An id in base64url as text; nothing if it is no UTF-8. */
export function textOf(text64) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytesOf(text64));
  } catch {
    return null;
  }
}

/** An id in base64url as a part of a path or a query. */
export function percentEncoded(text64) {
  return [...bytesOf(text64)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}
