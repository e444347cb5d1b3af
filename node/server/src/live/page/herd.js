// The herd: its servers on a circle, its links as lines, and the same as a list.

import { serverColour } from "./colours.js";
import { clockTime, element, plural, svg } from "./text.js";

const SERVER_STATES = {
  here: "this page's server",
  up: "up",
  down: "gone",
  unheard: "not heard of yet",
  unknown: "unknown",
};
const LINK_STATES = { up: "up", down: "down", unknown: "unknown" };
/** Beyond this many servers their names would overlap. */
const NAMES_MAX = 24;
/** Longer names are cut; their titles are not. */
const NAME_LENGTH_MAX = 16;
const CHARACTER_WIDTH = 7.6;
/** So many groups are on the way while all is well and much is reported. */
const USUAL_LAG = 10;
/** Up to this many servers all orders around the circle are tried. */
const ORDERED_MAX = 7;

const lagText = (lag) =>
  lag === null ? "nothing heard yet" : lag === 0 ? "in step" : `${plural(lag, "group", "groups")} behind`;

export class HerdView {
  constructor(drawing, list, summary) {
    this.drawing = drawing;
    this.list = list;
    this.summary = summary;
    this.servers = [];
  }

  colourOf(name) {
    return serverColour(this.servers.findIndex((server) => server.name === name), this.servers.length);
  }

  /** Whether what a server has heard may be known here no more. */
  isSilent(place) {
    return !["here", "up"].includes(this.servers[place]?.state);
  }

  show({ servers, links, cut_off: cutOff }, nowMs) {
    this.servers = servers;
    this.cutOff = cutOff ? since(servers, nowMs) : null;
    // Drawn anew only if it has changed, so that an element with the focus, or under a click, stays.
    const shape = JSON.stringify([servers, links.map(({ a, b, state, lag }) => [a, b, state, lag === null])]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.draw(servers, links);
    } else {
      links.forEach(({ lag }, place) => { this.lags[place] = replaceLag(this.lags[place], lag); });
    }
    this.listLinks(servers, links);
    const sentences = this.sentences(servers, links, nowMs);
    this.summary.textContent = sentences.length === 0 ? `All ${servers.length} servers are up.` : sentences.join(" ");
    this.summary.dataset.well = String(sentences.length === 0);
  }

  sentences(servers, links, nowMs) {
    if (this.cutOff) return [this.cutOff];
    const silent = servers.filter((server) => ["down", "unheard"].includes(server.state));
    const sentences = silent.map(({ name, heard_s: heardS }) => (
      heardS === null ? `${name} was not heard of yet.` : `${name} was last heard of at ${clockTime(heardS * 1000, nowMs)}.`
    ));
    const counted = (state, words) => {
      const length = links.filter((link) => link.state === state).length;
      if (length > 0) sentences.push(`${plural(length, "link", "links")} ${words}.`);
    };
    counted("down", "down");
    if (silent.length > 0) counted("unknown", "unknown");
    return sentences;
  }

  draw(servers, links) {
    const names = servers.map(({ name }) => (
      name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX - 1)}…` : name
    ));
    const hasNames = servers.length <= NAMES_MAX;
    const longest = hasNames ? Math.max(...names.map((name) => name.length)) * CHARACTER_WIDTH : 0;
    // The names have room beside the circle, and below each other.
    const width = 330;
    const [across, down] = [Math.max(48, width / 2 - longest - 18), Math.max(76, 10.5 * servers.length)];
    const centre = [width / 2, down + 30];
    const order = around(servers.length, links);
    const spots = servers.map((_, place) => {
      // The first one at the upper left.
      const angle = (2 * Math.PI * order.indexOf(place)) / servers.length - Math.PI * 0.7;
      return [centre[0] + across * Math.cos(angle), centre[1] + down * Math.sin(angle), angle];
    });
    this.lags = [];
    const lines = links.map(({ a, b, state, lag }, place) => {
      const [[x1, y1], [x2, y2]] = [spots[a], spots[b]];
      const title = svg("title", {}, `${servers[a].name} – ${servers[b].name}: ${LINK_STATES[state]}`);
      const line = svg("line", { x1, y1, x2, y2, class: `link ${state}` }, title);
      const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
      if (state === "down") return svg("g", {}, line, cross(x, y));
      if (state !== "up" || lag === null) return line;
      this.lags[place] = { x, y, label: lagLabel(x, y, lag) };
      return svg("g", {}, line, this.lags[place].label);
    });
    const nodes = servers.map(({ name, state, http }, place) => {
      const [x, y, angle] = spots[place];
      const mark = svg("circle", { cx: x, cy: y, r: state === "here" ? 9 : 7, class: `server ${state}` });
      mark.style.setProperty("--colour", serverColour(place, servers.length));
      const side = Math.cos(angle);
      const anchor = Math.abs(side) < 0.3 ? "middle" : side > 0 ? "start" : "end";
      const dx = anchor === "middle" ? 0 : side > 0 ? 14 : -14;
      const dy = anchor === "middle" ? (Math.sin(angle) > 0 ? 24 : -15) : 4.5;
      const label = svg("text", { x: x + dx, y: y + dy, "text-anchor": anchor, class: `name ${state}` }, names[place]);
      const title = svg("title", {}, `${name}: ${SERVER_STATES[state]}`);
      const parts = hasNames ? [title, mark, label] : [title, mark];
      if (state === "here") return svg("g", {}, ...parts);
      return svg("a", { href: pageOf(http), "aria-label": `The page of ${name}, which is ${SERVER_STATES[state]}` }, ...parts);
    });
    const ys = spots.map(([, y]) => y);
    const [top, bottom] = [Math.min(...ys) - 24, Math.max(...ys) + 32];
    this.drawing.setAttribute("viewBox", `0 ${top} ${width} ${bottom - top}`);
    this.drawing.replaceChildren(...lines, ...nodes);
  }

  listLinks(servers, links) {
    const order = { down: 0, unknown: 1, up: 2 };
    const sorted = [...links].sort((one, other) => order[one.state] - order[other.state]);
    const rows = sorted.map(({ a, b, state, lag }) => element(
      "tr",
      { "data-link": `${servers[a].name}-${servers[b].name}`, "data-state": state },
      element("th", { scope: "row" }, `${servers[a].name} – ${servers[b].name}`),
      element("td", {}, element("span", { class: `pill ${state}` }, LINK_STATES[state])),
      element("td", {}, state === "up" ? lagText(lag) : ""),
    ));
    this.list.replaceChildren(...rows);
  }
}

/** That this server is cut off, and since when: since it last heard of any other. */
function since(servers, nowMs) {
  const others = servers.filter((server) => server.state !== "here");
  const last = Math.max(...others.map((server) => server.heard_s ?? -Infinity));
  const which = others.length === 1 ? `the other one` : `the other ${others.length}`;
  return Number.isFinite(last)
    ? `Cut off from ${which} since ${clockTime(last * 1000, nowMs)}.`
    : `Cut off from ${which}.`;
}

/** The servers' order around the circle: where there are few, the first in which the fewest links cross. */
function around(length, links) {
  const places = Array.from({ length }, (_, place) => place);
  if (length > ORDERED_MAX) return places;
  let [best, fewest] = [places, Infinity];
  const spotOf = [];
  const crossings = (order) => {
    order.forEach((place, spot) => { spotOf[place] = spot; });
    const chords = links.map(({ a, b }) => [Math.min(spotOf[a], spotOf[b]), Math.max(spotOf[a], spotOf[b])]);
    let sum = 0;
    chords.forEach(([from, to], i) => {
      for (const [low, high] of chords.slice(i + 1)) {
        if ((from < low && low < to && to < high) || (low < from && from < high && high < to)) sum += 1;
      }
    });
    return sum;
  };
  const tryAll = (order, rest) => {
    if (fewest === 0) return;
    if (rest.length === 0) {
      const sum = crossings(order);
      if (sum < fewest) [best, fewest] = [order, sum];
    }
    for (const place of rest) tryAll([...order, place], rest.filter((other) => other !== place));
  };
  tryAll([0], places.slice(1));
  return best;
}

/** Another server's page: a server that listens everywhere is where this page came from. */
function pageOf(http) {
  const host = http.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, location.hostname);
  return `${location.protocol}//${host}/`;
}

function cross(x, y) {
  return svg(
    "g",
    { class: "cross", transform: `translate(${x} ${y})` },
    svg("circle", { r: 7.5 }),
    svg("path", { d: "M-3 -3 3 3M3 -3 -3 3" }),
  );
}

function replaceLag(known, lag) {
  if (!known) return known;
  const label = lagLabel(known.x, known.y, lag);
  known.label.replaceWith(label);
  return { ...known, label };
}

function lagLabel(x, y, lag) {
  const text = String(lag);
  const half = 4.5 + 3.4 * text.length;
  return svg(
    "g",
    { class: lag < USUAL_LAG ? "lag" : "lag high", transform: `translate(${x} ${y})` },
    svg("rect", { x: -half, y: -8, width: 2 * half, height: 16, rx: 8 }),
    svg("text", { "text-anchor": "middle", y: 3.8 }, text),
  );
}
