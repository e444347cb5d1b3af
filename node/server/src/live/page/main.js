// Puts the page together: events of the server go to the views, actions of the user to the server.

import { attachGestures } from "./gestures.js";
import { Graphs } from "./graphs.js";
import { HerdView } from "./herd.js";
import { WorldMap } from "./map.js";
import { RecordView } from "./record.js";
import { Stream } from "./stream.js";
import { ago, base64url, count, element, plural, serverColour } from "./text.js";

/** The view has to rest for so long before the server is asked for another part of the world. */
const SETTLE_MS = 220;
const LISTED_MAX = 8;

const byId = (id) => document.getElementById(id);
const root = document.documentElement;
const canvas = byId("canvas");

let server = "";
let summary = { clients: 0, in_view: 0, thinned: false };
let connection = { name: "connecting" };
let lastHeard = Date.now();
/** The server's clock less this machine's. */
let clockOffset = 0;
/** The choice in the address: `{ dot }` or `{ client }`, with a label until the record comes. */
let chosen = null;
let userMoved = false;
let fitted = false;
let settling = 0;
let asked = "";
/** The source of the list of dots. */
let listed = "";
/** Events whose first one after each question says everything. */
let first = { map: true, seconds: true };

const herd = new HerdView(byId("drawing"), byId("links"), byId("herd-summary"));
const graphs = new Graphs({
  rate: { drawing: byId("rate-drawing"), now: byId("rate-now"), most: byId("rate-most") },
  way: { drawing: byId("way-drawing"), now: byId("way-now"), most: byId("way-most") },
});
const record = new RecordView(
  byId("client"),
  {
    title: byId("client-title"),
    fields: byId("client-fields"),
    places: byId("places"),
    sources: byId("sources"),
    unknown: byId("unknown"),
  },
  (name) => herd.colourOf(name),
);
const map = new WorldMap(canvas, { onView: () => askSoon() });
const stream = new Stream({ event: take, state: showConnection });

function query() {
  const [south, west, north, east] = map.view.bounds().map((degrees) => degrees.toFixed(4));
  const parts = [`view=${south},${west},${north},${east}`];
  if (chosen?.client) parts.push(`client=${chosen.client}`);
  else if (chosen?.dot) parts.push(`dot=${chosen.dot}`);
  return parts.join("&");
}

function ask() {
  clearTimeout(settling);
  settling = 0;
  if (document.hidden) return;
  const next = query();
  if (next === asked) return;
  asked = next;
  stream.ask(next);
}

function askSoon() {
  clearTimeout(settling);
  settling = setTimeout(ask, SETTLE_MS);
}

function take(name, data) {
  lastHeard = Date.now();
  switch (name) {
    case "hello":
      first = { map: true, seconds: true };
      server = data.server;
      byId("server").textContent = server;
      byId("version").textContent = `herd ${data.version}`;
      document.title = `${server} · herd`;
      break;
    case "map":
      takeMap(data);
      break;
    case "client":
      takeClient(data.record);
      break;
    case "herd":
      byId("cluster").textContent = data.cluster;
      herd.show(data);
      showLegend(data.servers);
      break;
    case "seconds":
      clockOffset = data.now_ms - Date.now();
      graphs.take(data.seconds, first.seconds);
      first.seconds = false;
      record.tick(serverNow());
      break;
    default:
  }
}

const serverNow = () => Date.now() + clockOffset;

function takeMap(data) {
  map.take(data, first.map);
  first.map = false;
  summary = data;
  if (!fitted && !userMoved && map.dots.size > 0) {
    fitted = true;
    fit();
  }
  showSummary();
}

function showSummary() {
  const { clients, in_view: inView, thinned } = summary;
  byId("clients").textContent = count(clients);
  byId("clients-word").textContent = clients === 1 ? "client" : "clients";
  const shown = thinned
    ? `${count(inView)} in view, as ${plural(map.dots.size, "dot", "dots")}: each stands for the clients around it`
    : inView === clients ? "" : `${count(inView)} in view`;
  byId("in-view").textContent = shown;
  byId("empty").hidden = clients !== 0;
  canvas.dataset.dots = String(map.dots.size);
  listDots();
}

/** The same as the map, for the keyboard and for people who do not see it. */
function listDots() {
  const list = byId("nearby");
  const dots = map.nearestToMiddle(LISTED_MAX).sort((a, b) => (a.label < b.label ? -1 : 1));
  // Made anew only if it has changed, so that an element with the focus, or under a click, stays.
  const content = JSON.stringify(dots.map(({ key, label, count, server }) => [key, label, count, server]));
  if (content === listed) return;
  listed = content;
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const rows = dots.map((dot) => {
    const button = element("button", { type: "button", "data-key": dot.key, onclick: () => choose(dot) }, dot.label);
    const chip = element("span", { class: "chip", "aria-hidden": "true" });
    chip.style.setProperty("--colour", serverColour(dot.server));
    const others = dot.count > 1 ? element("span", { class: "quiet" }, `and ${count(dot.count - 1)} more`) : "";
    return element("li", {}, chip, button, others);
  });
  byId("nearby-section").hidden = rows.length === 0;
  list.replaceChildren(...rows);
  if (focused) list.querySelector(`[data-key="${focused}"]`)?.focus();
}

function takeClient(found) {
  if (!chosen) return;
  record.show(found, serverNow());
  if (!found) {
    map.setChosen(null, []);
    return;
  }
  if (chosen.lookUp) {
    // Asked for by its id, it may be anywhere.
    chosen.lookUp = false;
    userMoved = true;
    map.view.fit([found]);
    map.viewChanged();
  }
  chosen.latitude = found.latitude;
  chosen.longitude = found.longitude;
  const places = found.places.results.map((place) => ({
    name: place.name,
    latitude: place.geometry.location.lat,
    longitude: place.geometry.location.lng,
  }));
  map.setChosen({ key: chosen.dot, latitude: found.latitude, longitude: found.longitude }, places);
}

function choose(dot) {
  if (chosen?.dot === dot.key) return;
  if (dot.count > 1 && map.view.scale < 4000) {
    // Closer first: it stands for many.
    const [x, y] = map.view.place(dot.latitude, dot.longitude);
    map.view.zoomAt(2.5, x, y);
    userMoved = true;
  }
  chosen = { dot: dot.key };
  record.expect(dot.label);
  map.setChosen({ key: dot.key, latitude: dot.latitude, longitude: dot.longitude }, []);
  map.viewChanged();
  ask();
}

function chooseById(id) {
  chosen = { client: base64url(id), lookUp: true };
  record.expect(id);
  map.setChosen(null, []);
  ask();
}

function unchoose() {
  chosen = null;
  record.hide();
  map.setChosen(null, []);
  ask();
}

function fit() {
  map.view.fit([...map.dots.values()]);
  map.viewChanged();
}

function showConnection(state) {
  connection = state;
  root.dataset.connection = state.name;
  sayConnection();
  if (state.name === "lost" || state.name === "refused") asked = "";
}

/** In words, at once and then each second. */
function sayConnection() {
  const { name, why, retryAt } = connection;
  const banner = byId("banner");
  const short = { connecting: "Connecting", live: "Live", lost: "Lost", refused: "No room" }[name];
  if (byId("state").textContent !== short) byId("state").textContent = short;
  banner.hidden = name !== "lost" && name !== "refused";
  if (banner.hidden) return;
  const title = name === "lost" ? `Lost ${server || "the server"}: ${why}.` : "This server has no room for more pages.";
  if (byId("banner-title").textContent !== title) byId("banner-title").textContent = title;
  const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const trying = seconds === 0 ? "Trying again now." : `Trying again in ${seconds} s.`;
  const text = name === "lost" && server
    ? `This view is from ${ago(Date.now() - lastHeard)}. ${trying}`
    : name === "lost" ? trying : `${why} ${trying}`;
  byId("banner-text").textContent = text;
}

function showLegend(servers) {
  const heard = servers.slice(0, 8).map((one, place) => {
    const chip = element("span", { class: "chip", "aria-hidden": "true" });
    chip.style.setProperty("--colour", serverColour(place));
    return element("li", {}, chip, one.name);
  });
  byId("legend").replaceChildren(...heard);
}

attachGestures(canvas, map, {
  onTap: ({ x, y }) => {
    const dot = map.dotAt(x, y);
    if (dot) choose(dot);
    else if (chosen) unchoose();
  },
  onEscape: unchoose,
  onFit: fit,
  onUserMoved: () => { userMoved = true; },
});

const onClick = (id, action) => byId(id).addEventListener("click", action);
const zoom = (factor) => {
  userMoved = true;
  map.view.zoomAt(factor, map.view.width / 2, map.view.height / 2);
  map.viewChanged();
};
onClick("zoom-in", () => zoom(1.6));
onClick("zoom-out", () => zoom(1 / 1.6));
onClick("fit", fit);
onClick("world", () => {
  userMoved = true;
  map.view.showWorld();
  map.viewChanged();
});
onClick("close", () => {
  unchoose();
  canvas.focus();
});
onClick("centre", () => {
  if (!chosen || chosen.latitude === undefined) return;
  userMoved = true;
  map.view.centre(chosen.latitude, chosen.longitude);
  map.viewChanged();
});
byId("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = byId("find-id").value.trim();
  if (id) chooseById(id);
});
document.addEventListener("visibilitychange", () => {
  // A page in the background takes no place.
  if (document.hidden) {
    asked = "";
    stream.close();
  } else {
    ask();
  }
});
setInterval(sayConnection, 1000);
showConnection(connection);
map.load().catch((error) => {
  byId("empty").hidden = false;
  byId("empty").textContent = `The map of the world could not be loaded (${error.message}). Load the page again.`;
});
ask();
